"""Long work that a person starts and looks at later: jobs, their progress and what they found."""
