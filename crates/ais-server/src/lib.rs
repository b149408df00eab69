//! A server for AIStore's API in one process.
