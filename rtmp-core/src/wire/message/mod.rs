//! Message types and their payloads.
