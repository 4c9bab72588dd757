"""The worker: the process that empties a lane's rings, sends to shadows, scores and stores."""
