//! What the crate promises about evidence as it really is.

#[cfg(test)]
mod evidence;
#[cfg(test)]
mod evidence_set;
