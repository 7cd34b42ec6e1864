"""What the studio's page and the reports share: HTML from templates, and charts."""
