//! A pass over items in batches, the last of which may be smaller.

/// What runs a whole batch, and what runs the rest.
#[derive(Clone, Debug)]
pub struct Batches<P> {
    /// For a whole batch.
    pub full: P,
    /// For a smaller last one, where the batch does not divide the items.
    pub tail: Option<P>,
    /// Items of a whole batch.
    pub batch: usize,
    /// Items of the pass.
    pub count: usize,
}

impl<P> Batches<P> {
    /// `count` items in batches of `batch`, or of all items where they are fewer.
    pub fn new(count: usize, batch: usize, make: impl Fn(usize) -> P) -> Self {
        let batch = batch.min(count).max(1);
        let last = count % batch;
        Batches {
            full: make(batch),
            tail: (last > 0).then(|| make(last)),
            batch,
            count,
        }
    }

    /// One for each size of batch.
    pub fn each(&self) -> impl Iterator<Item = &P> {
        [&self.full].into_iter().chain(&self.tail)
    }

    /// The same pass with something made of each.
    pub async fn try_map<Q, E>(
        self,
        make: impl AsyncFn(P) -> Result<Q, E>,
    ) -> Result<Batches<Q>, E> {
        let tail = match self.tail {
            Some(tail) => Some(make(tail).await?),
            None => None,
        };
        Ok(Batches {
            full: make(self.full).await?,
            tail,
            batch: self.batch,
            count: self.count,
        })
    }

    /// Number of batches.
    pub fn len(&self) -> usize {
        self.count.div_ceil(self.batch)
    }

    /// True for a pass over nothing.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whole batches.
    pub fn whole(&self) -> usize {
        self.count / self.batch
    }

    /// What runs batch number `index`.
    pub fn at(&self, index: usize) -> &P {
        let tail = self.tail.as_ref().filter(|_| index >= self.whole());
        tail.unwrap_or(&self.full)
    }

    /// Items of batch number `index`.
    pub fn size(&self, index: usize) -> usize {
        self.batch.min(self.count - index * self.batch)
    }

    /// What runs `count` batches from number `first` on, and how often.
    pub fn runs(&self, first: usize, count: usize) -> impl Iterator<Item = (&P, usize)> {
        let full = self.whole().saturating_sub(first).min(count);
        let tail = self.tail.iter().filter(move |_| full < count);
        [(&self.full, full)]
            .into_iter()
            .chain(tail.map(|tail| (tail, 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_in_one_batch() {
        for (count, batch, sizes) in [
            (10, 7, &[7, 3][..]),
            (10, 5, &[5, 5]),
            (3, 8, &[3]),
            (1, 1, &[1]),
        ] {
            let pass = Batches::new(count, batch, |size| size);
            let found: Vec<usize> = (0..pass.len()).map(|i| *pass.at(i)).collect();
            assert_eq!(found, sizes);
            assert!((0..pass.len()).all(|i| pass.size(i) == sizes[i]));
            let runs: usize = pass.runs(0, pass.len()).map(|(size, n)| size * n).sum();
            assert_eq!(runs, count);
        }
    }

    #[test]
    fn runs_end_with_the_tail() {
        let pass = Batches::new(23, 5, |size| size);
        let runs = |first, count| pass.runs(first, count).collect::<Vec<_>>();
        assert_eq!(runs(0, 2), [(&5, 2)]);
        assert_eq!(runs(2, 3), [(&5, 2), (&3, 1)]);
        assert_eq!(runs(4, 1), [(&5, 0), (&3, 1)]);
    }
}
