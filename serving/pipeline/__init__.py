"""`trialtwin run`: a study's stages, their cache, and the runner that resumes."""
