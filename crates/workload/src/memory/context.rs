//! The sole allocator of a step, and the way in which its kernels run: on the CPU, on a card, or
//! not at all, where a step is only written down.

use std::mem::MaybeUninit;

use candle_core::{Device, Tensor};

use super::buffer::{Buffer, Element, Memory, SameOnCard};
#[cfg(feature = "cuda")]
use super::card::Card;
use super::host;
use super::log::{AllocationGuard, AllocationLog};
use crate::buffer_spec::BufferSpec;
use crate::device_kind::DeviceKind;
use crate::error::WorkloadError;
use crate::shape::Shape;
use crate::threads::among_threads;

/// A kernel: what it reads and writes as a value, run once.
pub(crate) trait Kernel {
    /// Runs it on the CPU; it is over on return.
    fn cpu(self);

    /// Launches it in the card's stream.
    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError>;
}

/// Kernels of many tokens as one launch, for cards that have room for it.
pub(crate) trait Chain {
    /// Launches it in the card's stream. Whether it did: `false` where the card has no room.
    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<bool, WorkloadError>;
}

/// Where a step allocates and runs.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Cpu,
    #[cfg(feature = "cuda")]
    Card(Card),
    /// Buffers are the host's, kernels do not run, and what a device of this kind would be asked
    /// for is written down.
    Recording(DeviceKind, AllocationLog),
}

impl Context {
    /// The context of `device`, its kernels loaded.
    ///
    /// # Errors
    ///
    /// A device that no kernel is there for, or kernels that do not run on the card.
    pub(crate) fn new(device: &Device) -> Result<Self, WorkloadError> {
        let place = match device {
            Device::Cpu => Place::Cpu,
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => Place::Card(Card::new(device)?),
            other => {
                return Err(WorkloadError::NoKernels { device: format!("{:?}", other.location()) });
            }
        };
        Ok(Self { place })
    }

    pub(crate) fn recording(kind: DeviceKind, log: AllocationLog) -> Self {
        Self { place: Place::Recording(kind, log) }
    }

    pub(crate) fn kind(&self) -> DeviceKind {
        match &self.place {
            Place::Cpu => DeviceKind::Cpu,
            #[cfg(feature = "cuda")]
            Place::Card(_) => DeviceKind::Cuda,
            Place::Recording(kind, _) => *kind,
        }
    }

    /// Runs a kernel, or enqueues it.
    pub(crate) fn run(&self, kernel: impl Kernel) -> Result<(), WorkloadError> {
        match &self.place {
            Place::Cpu => kernel.cpu(),
            #[cfg(feature = "cuda")]
            Place::Card(card) => return kernel.cuda(card),
            Place::Recording(..) => (),
        }
        Ok(())
    }

    /// Runs `work`, which runs many kernels, where that is fastest.
    pub(crate) fn run_all<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.place {
            Place::Cpu => among_threads(work),
            _ => work(),
        }
    }

    /// Runs many tokens as one launch. `false` where nothing was run: each token is for itself then.
    #[cfg_attr(not(feature = "cuda"), expect(unused_variables, reason = "for cards alone"))]
    pub(crate) fn run_at_once(&self, chain: impl Chain) -> Result<bool, WorkloadError> {
        match &self.place {
            #[cfg(feature = "cuda")]
            Place::Card(card) => chain.cuda(card),
            _ => Ok(false),
        }
    }

    /// This one's device, on which what is run goes beside what this one runs from the last
    /// [`Context::fork`] on. A device that does nothing beside does it at once.
    pub(crate) fn beside(&self) -> Self {
        match &self.place {
            #[cfg(feature = "cuda")]
            Place::Card(card) => Self { place: Place::Card(card.beside()) },
            _ => self.clone(),
        }
    }

    /// What is run beside from here on finds what this one ran so far over.
    pub(crate) fn fork(&self) -> Result<(), WorkloadError> {
        match &self.place {
            #[cfg(feature = "cuda")]
            Place::Card(card) => card.fork(),
            _ => Ok(()),
        }
    }

    /// What is run from here on finds what runs beside it over.
    pub(crate) fn join(&self) -> Result<(), WorkloadError> {
        match &self.place {
            #[cfg(feature = "cuda")]
            Place::Card(card) => card.join(),
            _ => Ok(()),
        }
    }

    /// The spec's elements, which hold zero.
    pub(crate) fn zeros<T: Element + Default>(
        &self,
        spec: &BufferSpec,
        shape: &Shape,
    ) -> Result<Buffer<T>, WorkloadError> {
        self.zeros_of(spec, spec.len(shape))
    }

    /// As [`Context::zeros`], where the caller knows the length: `len` elements.
    pub(crate) fn zeros_of<T: Element + Default>(
        &self,
        spec: &BufferSpec,
        len: usize,
    ) -> Result<Buffer<T>, WorkloadError> {
        let memory = match &self.place {
            #[cfg(feature = "cuda")]
            Place::Card(card) => card.zeros::<T>(spec.name, len)?,
            _ => Memory::Host(host::zeroed(spec.name, len)?),
        };
        Ok(Buffer { memory, live: self.log(spec, size_of::<T>()) })
    }

    /// Room for `len` elements that are written before they are read.
    pub(crate) fn uninit(
        &self,
        spec: &BufferSpec,
        len: usize,
    ) -> Result<Buffer<MaybeUninit<f32>>, WorkloadError> {
        let memory = match &self.place {
            #[cfg(feature = "cuda")]
            Place::Card(card) => card.uninit::<MaybeUninit<f32>>(spec.name, len)?,
            _ => Memory::Host(host::uninit(spec.name, len)?),
        };
        Ok(Buffer { memory, live: self.log(spec, size_of::<f32>()) })
    }

    /// The spec's elements, which hold `values`: as many as the spec says. Where a step is only
    /// written down, the values are not asked for.
    pub(crate) fn upload<T: Element + Default>(
        &self,
        spec: &BufferSpec,
        shape: &Shape,
        values: impl FnOnce() -> Result<Vec<T>, WorkloadError>,
    ) -> Result<Buffer<T>, WorkloadError> {
        let memory = match &self.place {
            Place::Cpu => {
                let mut values = values()?;
                debug_assert_eq!(values.len(), spec.len(shape), "{}", spec.name);
                values.shrink_to_fit();
                Memory::Host(values)
            }
            #[cfg(feature = "cuda")]
            Place::Card(card) => card.upload::<T>(spec.name, &values()?)?,
            Place::Recording(..) => Memory::Host(host::zeroed(spec.name, spec.len(shape))?),
        };
        Ok(Buffer { memory, live: self.log(spec, size_of::<T>()) })
    }

    /// Replaces a buffer's values from the first on. Where a step is only written down, nothing is.
    pub(crate) fn write<T: Element>(
        &self,
        buffer: &mut Buffer<T>,
        values: &[T],
    ) -> Result<(), WorkloadError> {
        assert!(values.len() <= buffer.len(), "more values than the buffer has room for");
        match &self.place {
            Place::Cpu => buffer.view_mut().host()[..values.len()].copy_from_slice(values),
            #[cfg(feature = "cuda")]
            Place::Card(card) => card.write(buffer.view_mut().card(), values)?,
            Place::Recording(..) => (),
        }
        Ok(())
    }

    /// As [`Context::upload`], as a tensor of these dimensions.
    pub(crate) fn tensor<T: SameOnCard + Default>(
        &self,
        spec: &BufferSpec,
        shape: &Shape,
        dims: &[usize],
        values: impl FnOnce() -> Result<Vec<T>, WorkloadError>,
    ) -> Result<(Tensor, Option<AllocationGuard>), WorkloadError> {
        self.upload(spec, shape, values)?.into_tensor(dims)
    }

    /// Writes down what is allocated elsewhere: by candle, or by the host's allocator beside what
    /// a card holds.
    pub(crate) fn log(&self, spec: &BufferSpec, element_bytes: usize) -> Option<AllocationGuard> {
        match &self.place {
            Place::Recording(_, log) => Some(log.open(spec, element_bytes as u64)),
            _ => None,
        }
    }

    /// Writes down what candle keeps of tensors beside their values. That is the host's memory: only
    /// on the CPU is it the device's too.
    pub(crate) fn log_tensors(&self, spec: &BufferSpec, bytes: usize) -> Option<AllocationGuard> {
        match self.kind() {
            DeviceKind::Cpu => self.log(spec, bytes),
            DeviceKind::Cuda => None,
        }
    }

    /// Until everything that was enqueued is over.
    pub(crate) fn wait(&self) -> Result<(), WorkloadError> {
        match &self.place {
            #[cfg(feature = "cuda")]
            Place::Card(card) => card.wait(),
            _ => Ok(()),
        }
    }
}
