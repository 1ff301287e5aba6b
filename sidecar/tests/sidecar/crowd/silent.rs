//! Connections that say nothing.
