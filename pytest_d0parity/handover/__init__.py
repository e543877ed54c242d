"""What is handed over and checked: artifacts, bundles, verification and its receipt."""
