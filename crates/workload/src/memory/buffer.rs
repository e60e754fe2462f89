//! Memory of a step on its device, typed, and views of it as kernels take them.

use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::ops::Range;

#[cfg(feature = "cuda")]
use candle_core::{
    CudaDevice, CudaStorage, Storage,
    cuda_backend::{
        CudaDType,
        cudarc::driver::{CudaSlice, DevicePtr, DeviceRepr},
    },
    op::BackpropOp,
};
use candle_core::{Device, StorageRef, Tensor, WithDType};

use super::log::AllocationGuard;
#[cfg(feature = "cuda")]
use super::pointer::Ptr;
use crate::error::WorkloadError;

/// What a buffer holds. On a card it may be kept as another type of the same size.
pub(crate) trait Element: Copy + Debug + Send + Sync + 'static {
    /// What the card's memory is typed as.
    #[cfg(feature = "cuda")]
    type OnCard: DeviceRepr + Debug + Send + Sync + 'static;
}

macro_rules! elements {
    ($($own:ty => $on_card:ty),*) => {$(
        impl Element for $own {
            #[cfg(feature = "cuda")]
            type OnCard = $on_card;
        }
    )*};
}
elements!(f32 => f32, f64 => f64, u32 => u32, u16 => u16, u64 => u64, MaybeUninit<f32> => f32);

#[derive(Debug)]
pub(super) enum Memory<T: Element> {
    Host(Vec<T>),
    #[cfg(feature = "cuda")]
    Card(CudaSlice<T::OnCard>, CudaDevice),
}

/// A buffer that one owner writes: no lock, no reference count. [`Buffer::into_tensor`] hands it
/// out without a copy.
#[derive(Debug)]
pub(crate) struct Buffer<T: Element> {
    pub(super) memory: Memory<T>,
    pub(super) live: Option<AllocationGuard>,
}

impl<T: Element> Buffer<T> {
    pub(crate) fn len(&self) -> usize {
        match &self.memory {
            Memory::Host(values) => values.len(),
            #[cfg(feature = "cuda")]
            Memory::Card(slice, _) => slice.len(),
        }
    }

    /// All of it, to be read.
    pub(crate) fn view(&self) -> View<'_, T> {
        match &self.memory {
            Memory::Host(values) => View::Host(values),
            #[cfg(feature = "cuda")]
            Memory::Card(slice, device) => View::Card(address(slice, device), slice.len()),
        }
    }

    /// All of it, to be written.
    pub(crate) fn view_mut(&mut self) -> ViewMut<'_, T> {
        match &mut self.memory {
            Memory::Host(values) => ViewMut::Host(values),
            #[cfg(feature = "cuda")]
            Memory::Card(slice, device) => ViewMut::Card(address(slice, device), slice.len()),
        }
    }

    /// The part of a `[T,...]` buffer that belongs to token `t`, `len` elements each.
    pub(crate) fn token(&self, t: usize, len: usize) -> View<'_, T> {
        self.view().slice(t * len..(t + 1) * len)
    }

    /// As [`Buffer::token`], to be written.
    pub(crate) fn token_mut(&mut self, t: usize, len: usize) -> ViewMut<'_, T> {
        self.view_mut().slice(t * len..(t + 1) * len)
    }

    /// Parts `t` (to be read) and `t + 1` (to be written): the states before and after token `t`.
    pub(crate) fn around(&mut self, t: usize, len: usize) -> (View<'_, T>, ViewMut<'_, T>) {
        let (before, after) = self.view_mut().split_at((t + 1) * len);
        (before.into_view().slice(t * len..(t + 1) * len), after.slice(0..len))
    }
}

impl<T: Element + WithDType> Buffer<T> {
    /// The values of a range, in host memory. Waits for the card.
    pub(crate) fn read(&self, range: Range<usize>) -> Result<Vec<T>, WorkloadError>
    where
        T: SameOnCard,
    {
        match &self.memory {
            Memory::Host(values) => Ok(values[range].to_vec()),
            #[cfg(feature = "cuda")]
            Memory::Card(slice, device) => Ok(T::download(slice, range, device)?),
        }
    }
}

/// Elements that candle knows too, kept on a card as they are.
#[cfg(not(feature = "cuda"))]
pub(crate) trait SameOnCard: Element + WithDType {}
#[cfg(not(feature = "cuda"))]
impl<T: Element + WithDType> SameOnCard for T {}

/// Elements that candle knows too, kept on a card as they are.
#[cfg(feature = "cuda")]
pub(crate) trait SameOnCard: Element + WithDType + CudaDType {
    fn download(
        slice: &CudaSlice<Self::OnCard>,
        range: Range<usize>,
        device: &CudaDevice,
    ) -> candle_core::Result<Vec<Self>>;
    fn own(slice: CudaSlice<Self::OnCard>) -> CudaSlice<Self>;
}
#[cfg(feature = "cuda")]
impl<T: Element<OnCard = T> + WithDType + CudaDType + DeviceRepr> SameOnCard for T {
    fn download(
        slice: &CudaSlice<T>,
        range: Range<usize>,
        device: &CudaDevice,
    ) -> candle_core::Result<Vec<T>> {
        device.clone_dtoh(&slice.slice(range))
    }
    fn own(slice: CudaSlice<T>) -> CudaSlice<T> {
        slice
    }
}

impl<T: SameOnCard> Buffer<T> {
    /// The same memory as a candle tensor, without a copy, and what keeps it in a log.
    pub(crate) fn into_tensor(
        self,
        dims: &[usize],
    ) -> Result<(Tensor, Option<AllocationGuard>), WorkloadError> {
        let tensor = match self.memory {
            Memory::Host(values) => Tensor::from_vec(values, dims, &Device::Cpu)?,
            #[cfg(feature = "cuda")]
            Memory::Card(slice, device) => Tensor::from_storage(
                Storage::Cuda(CudaStorage::wrap_cuda_slice(T::own(slice), device)),
                dims,
                BackpropOp::none(),
                false,
            ),
        };
        Ok((tensor, self.live))
    }
}

#[cfg(feature = "cuda")]
fn address<S, T>(slice: &CudaSlice<S>, device: &CudaDevice) -> Ptr<T> {
    Ptr::new(slice.device_ptr(&device.cuda_stream()).0)
}

/// Memory that a kernel reads.
#[derive(Debug)]
pub(crate) enum View<'a, T> {
    Host(&'a [T]),
    /// An address and a number of elements.
    #[cfg(feature = "cuda")]
    Card(Ptr<T>, usize),
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for View<'_, T> {}

impl<'a, T> View<'a, T> {
    pub(crate) fn slice(self, range: Range<usize>) -> Self {
        match self {
            Self::Host(values) => Self::Host(&values[range]),
            #[cfg(feature = "cuda")]
            Self::Card(at, len) => {
                assert!(range.start <= range.end && range.end <= len, "{range:?} of {len}");
                Self::Card(at.add(range.start), range.len())
            }
        }
    }

    /// Where it begins, as a number for a table of addresses.
    pub(crate) fn address(self) -> u64 {
        match self {
            Self::Host(values) => values.as_ptr().addr() as u64,
            #[cfg(feature = "cuda")]
            Self::Card(at, _) => at.address(),
        }
    }

    /// The values, for a kernel on the CPU.
    pub(crate) fn host(self) -> &'a [T] {
        match self {
            Self::Host(values) => values,
            #[cfg(feature = "cuda")]
            Self::Card(..) => panic!("a kernel on the CPU was given memory of a card"),
        }
    }

    /// The address, for a kernel on a card.
    #[cfg(feature = "cuda")]
    pub(crate) fn card(self) -> Ptr<T> {
        match self {
            Self::Card(at, _) => at,
            Self::Host(_) => panic!("a kernel on a card was given memory of the host"),
        }
    }
}

/// Memory that a kernel writes.
#[derive(Debug)]
pub(crate) enum ViewMut<'a, T> {
    Host(&'a mut [T]),
    /// An address and a number of elements.
    #[cfg(feature = "cuda")]
    Card(Ptr<T>, usize),
}

impl<'a, T> ViewMut<'a, T> {
    pub(crate) fn slice(self, range: Range<usize>) -> Self {
        self.split_at(range.end).0.split_at(range.start).1
    }

    pub(crate) fn split_at(self, at: usize) -> (Self, Self) {
        match self {
            Self::Host(values) => {
                let (low, high) = values.split_at_mut(at);
                (Self::Host(low), Self::Host(high))
            }
            #[cfg(feature = "cuda")]
            Self::Card(start, len) => {
                assert!(at <= len, "{at} of {len}");
                (Self::Card(start, at), Self::Card(start.add(at), len - at))
            }
        }
    }

    pub(crate) fn into_view(self) -> View<'a, T> {
        match self {
            Self::Host(values) => View::Host(values),
            #[cfg(feature = "cuda")]
            Self::Card(at, len) => View::Card(at, len),
        }
    }

    /// The values, for a kernel on the CPU.
    pub(crate) fn host(self) -> &'a mut [T] {
        match self {
            Self::Host(values) => values,
            #[cfg(feature = "cuda")]
            Self::Card(..) => panic!("a kernel on the CPU was given memory of a card"),
        }
    }

    /// The address, for a kernel on a card.
    #[cfg(feature = "cuda")]
    pub(crate) fn card(&self) -> Ptr<T> {
        match self {
            Self::Card(at, _) => *at,
            Self::Host(_) => panic!("a kernel on a card was given memory of the host"),
        }
    }
}

/// A tensor of candle's, locked for reading: contiguous and of the type asked for.
pub(crate) struct TensorRead<'a> {
    storage: StorageRef<'a>,
    range: Range<usize>,
}

impl<'a> TensorRead<'a> {
    /// Locks `tensor`, whose name is for the error.
    pub(crate) fn new(name: &str, tensor: &'a Tensor) -> Result<Self, WorkloadError> {
        let (storage, layout) = tensor.storage_and_layout();
        match layout.contiguous_offsets() {
            Some((start, end)) => Ok(Self { storage, range: start..end }),
            None => Err(WorkloadError::Tensor {
                name: name.to_owned(),
                expected: "contiguous memory".to_owned(),
                found: format!("strides {:?}", layout.stride()),
            }),
        }
    }

    pub(crate) fn view<T: SameOnCard>(&self) -> Result<View<'_, T>, WorkloadError> {
        let all = match &*self.storage {
            candle_core::Storage::Cpu(storage) => View::Host(storage.as_slice::<T>()?),
            #[cfg(feature = "cuda")]
            Storage::Cuda(storage) => {
                let slice = storage.as_cuda_slice::<T>()?;
                View::Card(address(slice, &storage.device), slice.len())
            }
            other => {
                return Err(WorkloadError::Tensor {
                    name: "a tensor".to_owned(),
                    expected: "a CPU or a CUDA device".to_owned(),
                    found: format!("{:?}", other.device().location()),
                });
            }
        };
        Ok(all.slice(self.range.clone()))
    }
}

impl<'a> View<'a, MaybeUninit<f32>> {
    /// # Safety
    ///
    /// Every element has been written.
    pub(crate) unsafe fn assume_written(self) -> View<'a, f32> {
        match self {
            // SAFETY: the caller's.
            Self::Host(values) => View::Host(unsafe { values.assume_init_ref() }),
            #[cfg(feature = "cuda")]
            Self::Card(at, len) => View::Card(at.cast(), len),
        }
    }
}

impl Buffer<MaybeUninit<f32>> {
    /// The values of a range, in host memory. Waits for the card.
    ///
    /// # Safety
    ///
    /// Every element of the range has been written.
    pub(crate) unsafe fn read_written(
        &self,
        range: Range<usize>,
    ) -> Result<Vec<f32>, WorkloadError> {
        match &self.memory {
            // SAFETY: the caller's.
            Memory::Host(values) => Ok(unsafe { values[range].assume_init_ref() }.to_vec()),
            #[cfg(feature = "cuda")]
            Memory::Card(slice, device) => Ok(device.clone_dtoh(&slice.slice(range))?),
        }
    }

    /// Replaces the values from `at` on.
    pub(crate) fn overwrite(&mut self, at: usize, values: &[f32]) -> Result<(), WorkloadError> {
        match &mut self.memory {
            Memory::Host(all) => {
                all[at..at + values.len()].write_copy_of_slice(values);
            }
            #[cfg(feature = "cuda")]
            Memory::Card(slice, device) => {
                device.memcpy_htod(values, &mut slice.slice_mut(at..at + values.len()))?;
            }
        }
        Ok(())
    }
}
