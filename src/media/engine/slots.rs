//! A table with stable indexes: the numbers that the poll set and the routes of a worker hold.

/// Values under small numbers; a freed number is used again.
#[derive(Debug)]
pub(super) struct Slots<T> {
    // Boxed, so that taking a value out for a moment and putting it back moves a pointer.
    values: Vec<Option<Box<T>>>,
    free: Vec<usize>,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Self { values: Vec::new(), free: Vec::new() }
    }

    /// Stores a value and tells its number.
    pub(super) fn insert(&mut self, value: Box<T>) -> usize {
        match self.free.pop() {
            Some(index) => {
                self.values[index] = Some(value);
                index
            }
            None => {
                self.values.push(Some(value));
                self.values.len() - 1
            }
        }
    }

    /// Removes a value for good; its number is free again.
    pub(super) fn remove(&mut self, index: usize) -> Option<Box<T>> {
        let value = self.values.get_mut(index)?.take()?;
        self.free.push(index);
        Some(value)
    }

    /// Takes a value out for a moment; [`Slots::put_back`] must follow.
    pub(super) fn take(&mut self, index: usize) -> Option<Box<T>> {
        self.values.get_mut(index)?.take()
    }

    /// Puts a taken value back under its number.
    pub(super) fn put_back(&mut self, index: usize, value: Box<T>) {
        self.values[index] = Some(value);
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.values.get(index)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.values.get_mut(index)?.as_deref_mut()
    }

    /// One past the highest number in use.
    pub(super) fn end(&self) -> usize {
        self.values.len()
    }
}
