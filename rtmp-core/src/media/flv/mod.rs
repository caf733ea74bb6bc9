//! The FLV container (FLV 10.1 Annex E).
