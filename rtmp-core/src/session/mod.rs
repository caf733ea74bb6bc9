//! One connection as a sans-I/O state machine, for the server's and the client's side.
