//! An address on a card.

use std::fmt;
use std::marker::PhantomData;

use candle_core::cuda_backend::cudarc::driver::DeviceRepr;

/// Where elements of type `T` lie in a card's memory; kernels take it as `T *`.
#[repr(transparent)]
pub(crate) struct Ptr<T>(u64, PhantomData<fn(T) -> T>);

impl<T> Ptr<T> {
    /// What a kernel takes as a null pointer.
    pub(crate) const NULL: Self = Self(0, PhantomData);

    pub(super) fn new(address: u64) -> Self {
        Self(address, PhantomData)
    }

    /// `n` elements further.
    pub(crate) fn add(self, n: usize) -> Self {
        Self::new(self.0 + (n * size_of::<T>()) as u64)
    }

    /// The same place, read as elements of another type.
    pub(crate) fn cast<U>(self) -> Ptr<U> {
        Ptr::new(self.0)
    }

    /// The number, for a table of addresses.
    pub(crate) fn address(self) -> u64 {
        self.0
    }
}

impl<T> Clone for Ptr<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Ptr<T> {}

impl<T> fmt::Debug for Ptr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

// SAFETY: a number, which the driver passes on by value.
unsafe impl<T> DeviceRepr for Ptr<T> {}
