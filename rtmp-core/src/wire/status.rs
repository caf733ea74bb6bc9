//! Status codes of NetConnection and NetStream.
