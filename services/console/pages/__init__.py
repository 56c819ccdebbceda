"""One module for each page: it asks the services, builds what is shown, and leaves the showing to a template."""
