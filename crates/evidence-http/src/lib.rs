//! Evidence over HTTP.
