//! One pass over a number of items, in batches of equal size and a smaller last one.

/// The value (such as a plan) for a full batch and the one for the last, smaller batch.
#[derive(Clone, Debug)]
pub struct Batches<P> {
    /// For a full batch.
    pub full: P,
    /// For the last batch, if the batch size does not divide the number of items.
    pub tail: Option<P>,
    /// Items in a full batch.
    pub batch: usize,
    /// Items in the pass.
    pub count: usize,
}

impl<P> Batches<P> {
    /// `count` items in batches of `batch`; one batch of all items if there are fewer.
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

    /// The value for each batch size that occurs.
    pub fn each(&self) -> impl Iterator<Item = &P> {
        [&self.full].into_iter().chain(&self.tail)
    }

    /// Maps the value of each batch size.
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

    /// True if the pass has no items.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of full batches.
    pub fn whole(&self) -> usize {
        self.count / self.batch
    }

    /// The value for batch `index`.
    pub fn at(&self, index: usize) -> &P {
        let tail = self.tail.as_ref().filter(|_| index >= self.whole());
        tail.unwrap_or(&self.full)
    }

    /// Items in batch `index`.
    pub fn size(&self, index: usize) -> usize {
        self.batch.min(self.count - index * self.batch)
    }

    /// The values for `count` batches from `first` on, each with its number of repetitions.
    pub fn runs(&self, first: usize, count: usize) -> impl Iterator<Item = (&P, usize)> {
        let full = self.whole().saturating_sub(first).min(count);
        let tail = self.tail.iter().filter(move |_| full < count);
        [(&self.full, full)]
            .into_iter()
            .chain(tail.map(|tail| (tail, 1)))
    }
}
