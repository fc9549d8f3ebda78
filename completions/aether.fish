complete --keep-order --exclusive --command aether --arguments "(COMPLETE=fish aether -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
