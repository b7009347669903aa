"""A real JupyterLab in a real browser, on this machine only."""
