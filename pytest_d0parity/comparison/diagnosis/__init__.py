"""Why two logs differ: what their values prove, in sentences, and what to do next."""
