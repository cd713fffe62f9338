"""Between rows and objects, explicitly."""
