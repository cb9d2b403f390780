//! A stack whose first entries need no allocation.

/// Holds the first `N` entries in place and any more on the heap, so that a usual record is
/// checked without allocating and an unusual one is still checked.
#[derive(Debug, Clone)]
pub(super) struct Spill<T, const N: usize> {
    inline: [T; N],
    rest: Vec<T>,
    len: usize,
}

impl<T: Copy + Default, const N: usize> Spill<T, N> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self {
            inline: [T::default(); N],
            rest: Vec::new(),
            len: 0,
        }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(super) fn push(&mut self, entry: T) {
        match self.inline.get_mut(self.len) {
            Some(slot) => *slot = entry,
            None => self.rest.push(entry),
        }
        self.len += 1;
    }

    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        match self.inline.get(self.len) {
            Some(entry) => Some(*entry),
            None => self.rest.pop(),
        }
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        if index < N {
            self.inline.get_mut(index)
        } else {
            self.rest.get_mut(index - N)
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.inline.iter().take(self.len).chain(&self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_in_order_across_the_border() {
        let mut spill = Spill::<u8, 2>::new();
        for entry in 1..=5 {
            spill.push(entry);
        }
        assert_eq!(spill.iter().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        *spill.get_mut(3).unwrap() = 40;
        assert_eq!(
            (spill.len(), spill.pop(), spill.pop()),
            (5, Some(5), Some(40))
        );
        spill.push(9);
        assert_eq!(spill.iter().copied().collect::<Vec<_>>(), [1, 2, 3, 9]);
        while spill.pop().is_some() {}
        assert_eq!(spill.len(), 0);
        assert_eq!(spill.pop(), None);
    }
}
