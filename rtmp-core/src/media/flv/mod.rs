//! The FLV container.
