//! Sorting by an order that may not be one: Maven's is not transitive, and the standard library's
//! sorting may panic then.

use std::cmp::Ordering;

/// Sorts stably by merging: *n* log *n* comparisons, whatever they answer.
pub(super) fn sort<T>(items: Vec<T>, compare: &impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut runs: Vec<Vec<T>> = items.into_iter().map(|item| vec![item]).collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut pairs = runs.into_iter();
        while let Some(left) = pairs.next() {
            merged.push(match pairs.next() {
                Some(right) => merge(left, right, compare),
                None => left,
            });
        }
        runs = merged;
    }
    runs.pop().unwrap_or_default()
}

fn merge<T>(left: Vec<T>, right: Vec<T>, compare: &impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let next = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if compare(a, b).is_gt() => right.next(),
            (Some(_), _) => left.next(),
            (None, _) => right.next(),
        };
        match next {
            Some(item) => merged.push(item),
            None => return merged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts() {
        let sorted = sort(vec![(3, 'a'), (1, 'b'), (3, 'c'), (2, 'd')], &|a, b| {
            a.0.cmp(&b.0)
        });
        assert_eq!(sorted, [(1, 'b'), (2, 'd'), (3, 'a'), (3, 'c')]);
        // Rock, paper, scissors.
        let odd = sort((0..99).collect(), &|a: &i32, b: &i32| {
            ((a - b).rem_euclid(3) - 1).cmp(&0)
        });
        assert_eq!(odd.len(), 99);
    }
}
