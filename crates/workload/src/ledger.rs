//! The exact list of what is alive in each phase of a step, before anything runs.
//!
//! The ledger is the step itself, run on a device that allocates nothing and writes down what it is
//! asked for: an allocation that the code gains, the ledger gains. [`Tally`] is that device.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Range;
use std::rc::Rc;

use vram_metrics::Phase;

use crate::activations::Activations;
use crate::backend::{Element, Stages};
use crate::backward::Workspace;
use crate::host;
use crate::item::{Class, Dim, Item};
use crate::params::{self, Layout};
use crate::{
    Adam, Batch, Forward, Gradients, LossScale, Model, Shape, Tape, Trainer, WorkloadError,
};

/// Kind of device that a ledger is of: they keep some buffers differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// The host's memory, through the metered allocator.
    Cpu,
    /// A card's memory pool.
    Cuda,
}

impl DeviceKind {
    /// Its name in artifacts and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }
}

/// One buffer of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub item: Item,
    /// Bytes of an element.
    pub element_bytes: u64,
    /// Bit n is set if it is alive at phase n of [`Phase::ALL`].
    alive: u8,
}

impl Entry {
    /// Whether it is alive at a phase.
    pub fn alive_at(&self, phase: Phase) -> bool {
        self.alive & bit(phase) != 0
    }

    /// Its size in bytes in a step of `shape`; none beyond 64 bits.
    pub fn bytes(&self, shape: &Shape) -> Option<u64> {
        let mut dims = self.item.dims.iter();
        dims.try_fold(self.element_bytes, |bytes, dim| bytes.checked_mul(dim.of(shape)))
    }

    /// Its size as a formula: `4 T B 4 D`.
    pub fn formula(&self) -> String {
        let dims: String = self.item.dims.iter().map(|dim| format!(" {dim}")).collect();
        format!("{}{dims}", self.element_bytes)
    }
}

fn bit(phase: Phase) -> u8 {
    1 << Phase::ALL.iter().position(|p| *p == phase).unwrap_or(7)
}

/// Every buffer of a step, with the phases in which it is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    shape: Shape,
    entries: Vec<Entry>,
}

impl Ledger {
    /// The ledger of a step of `shape`. However large that is, this takes no time and no memory to
    /// speak of: what is recorded is a step of one sample and two tokens, which asks for the same
    /// items, and an item's bytes are its formula's.
    ///
    /// # Errors
    ///
    /// None that a checked shape can cause.
    pub fn new(shape: &Shape, device: DeviceKind) -> Result<Self, WorkloadError> {
        match device {
            DeviceKind::Cpu => record::<OnHost>(shape),
            DeviceKind::Cuda => record::<OnCuda>(shape),
        }
    }

    /// The step's sizes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Every buffer, in the order in which the step asks for them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Bytes alive at a phase; none beyond 64 bits.
    pub fn at(&self, phase: Phase) -> Option<u64> {
        self.at_of(phase, &self.shape)
    }

    /// The most bytes alive at any phase: the step's peak allocated.
    pub fn peak(&self) -> Option<u64> {
        self.peak_of(&self.shape)
    }

    /// The phase of the peak.
    pub fn peak_phase(&self) -> Phase {
        let phases = Phase::ALL.into_iter();
        phases.max_by_key(|phase| self.at(*phase)).unwrap_or(Phase::BackwardPeak)
    }

    /// The peak of the same step with another number of samples; none beyond 64 bits. Only the
    /// sizes change, so no step has to be recorded again.
    pub fn peak_with_batch(&self, batch: usize) -> Option<u64> {
        self.peak_of(&Shape { batch, ..self.shape.clone() })
    }

    /// Bytes of a class alive at a phase; none beyond 64 bits.
    pub fn class_at(&self, class: Class, phase: Phase) -> Option<u64> {
        let entries = self.entries.iter().filter(|e| e.item.class == class);
        sum(entries.filter(|e| e.alive_at(phase)).map(|e| e.bytes(&self.shape)))
    }

    /// How the peak grows with a size: `d ln(peak) / d ln(size)`, 1 being linear. Derived sizes
    /// follow: the sensory width grows with the slot's.
    pub fn elasticity(&self, knob: Knob) -> Option<f64> {
        let phase = self.peak_phase();
        let alive = || self.entries.iter().filter(|e| e.alive_at(phase));
        let total = self.at(phase)? as f64;
        let grown: Option<Vec<f64>> = alive()
            .map(|e| {
                let dims = e.item.dims.iter();
                let slope: f64 = dims.map(|dim| self.dim_elasticity(*dim, knob)).sum();
                Some(slope * e.bytes(&self.shape)? as f64)
            })
            .collect();
        Some(grown?.iter().sum::<f64>() / total)
    }

    /// `d ln(dim) / d ln(knob)`.
    fn dim_elasticity(&self, dim: Dim, knob: Knob) -> f64 {
        let whole = |own: Knob| if own == knob { 1.0 } else { 0.0 };
        let one_more = |own: Knob, n: usize| whole(own) * n as f64 / (n + 1) as f64;
        match dim {
            Dim::Batch => whole(Knob::Batch),
            Dim::Tokens => whole(Knob::SynthLen),
            Dim::States => one_more(Knob::SynthLen, self.shape.synth_len),
            Dim::Ring => whole(Knob::RingLen),
            Dim::Slot => whole(Knob::SlotDim),
            // S = max(8, D/3).
            Dim::Sensory if self.shape.slot_dim >= 24 => whole(Knob::SlotDim),
            Dim::Groups => one_more(Knob::OutDim, self.shape.out_dim),
            Dim::Parameters => self.shape.parameters_elasticity(knob),
            Dim::Sensory | Dim::Classes | Dim::Times(_) => 0.0,
        }
    }

    fn at_of(&self, phase: Phase, shape: &Shape) -> Option<u64> {
        sum(self.entries.iter().filter(|e| e.alive_at(phase)).map(|e| e.bytes(shape)))
    }

    fn peak_of(&self, shape: &Shape) -> Option<u64> {
        let phases: Option<Vec<u64>> =
            Phase::ALL.map(|p| self.at_of(p, shape)).into_iter().collect();
        phases?.into_iter().max()
    }
}

fn sum(mut bytes: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    bytes.try_fold(0u64, |sum, bytes| sum.checked_add(bytes?))
}

/// A size that a user sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    /// `batch_size`.
    Batch,
    /// `synth_len`.
    SynthLen,
    /// `ring_len`.
    RingLen,
    /// `slot_dim`.
    SlotDim,
    /// `out_dim`.
    OutDim,
}

impl Knob {
    /// Every knob.
    pub const ALL: [Self; 5] =
        [Self::Batch, Self::SynthLen, Self::RingLen, Self::SlotDim, Self::OutDim];

    /// Its name in specs and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::SynthLen => "synth_len",
            Self::RingLen => "ring_len",
            Self::SlotDim => "slot_dim",
            Self::OutDim => "out_dim",
        }
    }
}

/// Runs a step on a tally.
fn record<K: Kind>(shape: &Shape) -> Result<Ledger, WorkloadError> {
    let tally = Tally::<K>::default();
    let short = Shape { batch: 1, synth_len: shape.synth_len.min(2), ..shape.clone() };
    let books = tally.books.clone();
    let mark = &mut |phase| books.borrow_mut().mark(phase);
    mark(Phase::Start);
    K::before(&tally, shape);
    let mut trainer = Trainer::new(short, 0, &tally, mark)?;
    trainer.step(mark)?;
    drop(trainer);
    let entries = books.borrow().entries.clone();
    Ok(Ledger { shape: shape.clone(), entries })
}

/// What tells the kinds of devices apart.
pub trait Kind: std::fmt::Debug + Clone + Default + 'static {
    /// What a rounded weight is kept as.
    type Half: Element;
    /// Buffers that the forward stages need besides.
    const SCRATCH: &'static [Item];

    /// What is there as long as the model, outside its buffers.
    fn before(_tally: &Tally<Self>, _shape: &Shape) {}
}

#[derive(Debug, Clone, Default)]
struct OnHost;

impl Kind for OnHost {
    type Half = f32;
    const SCRATCH: &'static [Item] = &host::OPERANDS;

    fn before(tally: &Tally<Self>, shape: &Shape) {
        let table = Layout::new(shape).heap_bytes();
        tally.books.borrow_mut().open(params::TABLE, table as u64);
    }
}

#[derive(Debug, Clone, Default)]
struct OnCuda;

impl Kind for OnCuda {
    type Half = u16;
    const SCRATCH: &'static [Item] = &[];
}

/// What was asked for, and what of it is alive.
#[derive(Debug, Default)]
struct Books {
    entries: Vec<Entry>,
    live: Vec<bool>,
}

impl Books {
    fn open(&mut self, item: Item, element_bytes: u64) -> usize {
        self.entries.push(Entry { item, element_bytes, alive: 0 });
        self.live.push(true);
        self.entries.len() - 1
    }

    fn mark(&mut self, phase: Phase) {
        let live = self.entries.iter_mut().zip(&self.live).filter(|(_, live)| **live);
        live.for_each(|(entry, _)| entry.alive |= bit(phase));
    }
}

/// A device that allocates nothing and writes down what it is asked for.
#[derive(Debug, Clone, Default)]
pub struct Tally<K> {
    books: Rc<RefCell<Books>>,
    kind: PhantomData<K>,
}

/// A buffer on a tally: alive until it is dropped.
#[derive(Debug)]
pub struct Receipt {
    books: Rc<RefCell<Books>>,
    at: usize,
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.books.borrow_mut().live[self.at] = false;
    }
}

type Done = Result<(), WorkloadError>;

impl<K: Kind> Tally<K> {
    fn open<T>(&self, item: &Item) -> Receipt {
        let at = self.books.borrow_mut().open(*item, size_of::<T>() as u64);
        Receipt { books: self.books.clone(), at }
    }
}

impl<K: Kind> Stages for Tally<K> {
    type Buf<T: Element> = Receipt;
    type Cells = Receipt;
    type Half = K::Half;
    type Scratch = Vec<Receipt>;

    fn zeroed<T: Element>(&self, item: &Item, _shape: &Shape) -> Result<Receipt, WorkloadError> {
        Ok(self.open::<T>(item))
    }

    fn upload<T: Element>(
        &self,
        item: &Item,
        _shape: &Shape,
        _values: impl FnOnce() -> Result<Vec<T>, WorkloadError>,
    ) -> Result<Receipt, WorkloadError> {
        Ok(self.open::<T>(item))
    }

    fn cells(&self, item: &Item, _len: usize) -> Result<Receipt, WorkloadError> {
        Ok(self.open::<f32>(item))
    }

    fn scratch(&self, _shape: &Shape) -> Result<Vec<Receipt>, WorkloadError> {
        Ok(K::SCRATCH.iter().map(|item| self.open::<f32>(item)).collect())
    }

    fn write<T: Element>(&self, _buffer: &mut Receipt, _at: usize, _values: &[T]) -> Done {
        Ok(())
    }

    fn read<T: Element>(
        &self,
        _buffer: &Receipt,
        range: Range<usize>,
    ) -> Result<Vec<T>, WorkloadError> {
        Ok(vec![T::default(); range.len()])
    }

    fn read_cells(&self, _cells: &Receipt, range: Range<usize>) -> Result<Vec<f32>, WorkloadError> {
        Ok(vec![0.0; range.len()])
    }

    fn write_cells(&self, _cells: &mut Receipt, _at: usize, _values: &[f32]) -> Done {
        Ok(())
    }

    fn cast_weights(_: &mut Model<Self>) -> Done {
        Ok(())
    }

    fn sense(_: &Model<Self>, _: &Batch<Self>, _: &mut Activations<Self>) -> Done {
        Ok(())
    }

    fn start(_: &Model<Self>, _: &Receipt, _: &mut Forward<Self>) -> Done {
        Ok(())
    }

    fn advance(&self, _: &mut Tape<Self>, _: usize) -> Done {
        Ok(())
    }

    fn wait(&self) -> Done {
        Ok(())
    }

    fn cell(_: &Model<Self>, _: &mut Activations<Self>, _: usize) -> Done {
        Ok(())
    }

    fn turn(_: &Model<Self>, _: &mut Forward<Self>, _: Option<usize>) -> Done {
        Ok(())
    }

    fn read_out(_: &Model<Self>, _: &Batch<Self>, _: &mut Forward<Self>) -> Done {
        Ok(())
    }

    fn leave(
        _: &Model<Self>,
        _: &Batch<Self>,
        _: &mut Forward<Self>,
        _: &mut Gradients<Self>,
        _: &LossScale<Self>,
        _: &mut Workspace<Self>,
    ) -> Done {
        Ok(())
    }

    fn turn_back(
        _: &Model<Self>,
        _: &mut Forward<Self>,
        _: &mut Workspace<Self>,
        _: Option<usize>,
    ) -> Done {
        Ok(())
    }

    fn cell_back(
        _: &Model<Self>,
        _: &mut Forward<Self>,
        _: &mut Workspace<Self>,
        _: usize,
    ) -> Done {
        Ok(())
    }

    fn collect(
        _: &Model<Self>,
        _: &mut Forward<Self>,
        _: &mut Gradients<Self>,
        _: &mut Workspace<Self>,
    ) -> Done {
        Ok(())
    }

    fn unsense(
        _: &Model<Self>,
        _: &Batch<Self>,
        _: &mut Forward<Self>,
        _: &mut Gradients<Self>,
        _: &mut Workspace<Self>,
    ) -> Done {
        Ok(())
    }

    fn update(
        _: &mut Model<Self>,
        _: &mut Gradients<Self>,
        _: &mut Adam<Self>,
        _: &mut LossScale<Self>,
    ) -> Done {
        Ok(())
    }
}
