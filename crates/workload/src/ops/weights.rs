//! The model's weights as kernels read them, locked for the length of a stage.

use crate::error::WorkloadError;
use crate::memory::buffer::{Buffer, TensorRead, View};
#[cfg(feature = "cuda")]
use crate::memory::pointer::Ptr;
use crate::model::od1::Od1;
use crate::parameters::{Parameter, at};

/// On a card: a weight in the numbers of the products, fp32 or half as the kernel's name says.
#[cfg(feature = "cuda")]
pub(crate) enum Product {}

/// A weight in the numbers of the products. The CPU keeps half numbers in fp32.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Weight<'a> {
    Single(View<'a, f32>),
    Half(View<'a, u16>),
}

impl<'a> Weight<'a> {
    pub(crate) fn host(self) -> &'a [f32] {
        match self {
            Self::Single(view) => view.host(),
            Self::Half(_) => panic!("a kernel on the CPU was given half numbers"),
        }
    }

    /// Where it begins, as a number for a table of addresses.
    pub(crate) fn address(self) -> u64 {
        match self {
            Self::Single(view) => view.address(),
            Self::Half(view) => view.address(),
        }
    }

    #[cfg(feature = "cuda")]
    pub(crate) fn card(self) -> Ptr<Product> {
        match self {
            Self::Single(view) => view.card().cast(),
            Self::Half(view) => view.card().cast(),
        }
    }
}

/// The weights in half precision, in the flat order of the parameters.
#[derive(Debug)]
pub(crate) enum Rounded {
    /// The products take the weights as they are.
    None,
    Host(Buffer<f32>),
    Card(Buffer<u16>),
}

/// Every weight, locked for reading.
pub(crate) struct Weights<'a> {
    parameters: &'a [Parameter],
    /// fp32, in the order of the parameters.
    singles: Vec<TensorRead<'a>>,
    rounded: &'a Rounded,
}

impl<'a> Weights<'a> {
    pub(crate) fn lock(model: &'a Od1, rounded: &'a Rounded) -> Result<Self, WorkloadError> {
        let singles: Result<Vec<_>, _> =
            model.named().map(|(name, tensor)| TensorRead::new(name, tensor)).collect();
        Ok(Self { parameters: model.parameters(), singles: singles?, rounded })
    }

    /// The parameter at a place of [`at`], in fp32.
    pub(crate) fn single(&self, place: usize) -> Result<View<'_, f32>, WorkloadError> {
        self.singles[place].view()
    }

    /// The parameter at a place of [`at`], in the numbers of the products.
    pub(crate) fn product(&self, place: usize) -> Result<Weight<'_>, WorkloadError> {
        let range = self.parameters[place].range.clone();
        Ok(match self.rounded {
            Rounded::None => Weight::Single(self.single(place)?),
            Rounded::Host(buffer) => Weight::Single(buffer.view().slice(range)),
            Rounded::Card(buffer) => Weight::Half(buffer.view().slice(range)),
        })
    }

    /// The layer whose weight is at `place` and whose bias follows.
    pub(crate) fn layer(&self, place: usize) -> Result<LayerWeights<'_>, WorkloadError> {
        let [outputs, inputs] = self.parameters[place].dims[..] else {
            unreachable!("a layer's weight is a matrix")
        };
        let (weight, bias) = (self.product(place)?, self.product(place + 1)?);
        Ok(LayerWeights { weight, bias, outputs, inputs })
    }

    /// The cell whose `weight_ih` is at `place`.
    pub(crate) fn cell(&self, place: usize) -> Result<CellWeights<'_>, WorkloadError> {
        Ok(CellWeights {
            width: self.parameters[place].dims[1],
            weight_ih: self.product(place)?,
            weight_hh: self.product(place + 1)?,
            bias_ih: self.product(place + 2)?,
            bias_hh: self.product(place + 3)?,
        })
    }

    /// What steers the pointers, in fp32 in every mode.
    pub(crate) fn steering(&self) -> Result<Steering<'_>, WorkloadError> {
        let four = |first: usize| -> Result<[View<'_, f32>; 4], WorkloadError> {
            Ok([
                self.single(first)?,
                self.single(first + 1)?,
                self.single(first + 2)?,
                self.single(first + 3)?,
            ])
        };
        Ok(Steering {
            theta_ptr: self.single(at::THETA_PTR)?,
            theta_gate: self.single(at::THETA_GATE)?,
            context_logit: self.single(at::CONTEXT)?,
            weights: four(at::HEADS)?,
            biases: four(at::HEADS + 4)?,
        })
    }

    /// Weights and biases of the readout heads in turn.
    pub(crate) fn readout(&self) -> Result<Vec<Weight<'_>>, WorkloadError> {
        (at::READOUT..self.parameters.len()).map(|place| self.product(place)).collect()
    }
}

/// A linear layer: weight `[O,I]`, bias `[O]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerWeights<'a> {
    pub(crate) weight: Weight<'a>,
    pub(crate) bias: Weight<'a>,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
}

/// A GRU cell of width `W`, gates in the order r, z, n: weights `[3W,W]`, biases `[3W]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CellWeights<'a> {
    pub(crate) width: usize,
    pub(crate) weight_ih: Weight<'a>,
    pub(crate) weight_hh: Weight<'a>,
    pub(crate) bias_ih: Weight<'a>,
    pub(crate) bias_hh: Weight<'a>,
}

/// The fields that attract the pointers, the gain of what is read, and the four scalar heads (jump,
/// inertia, deadzone, walk): weights `[D]`, biases `[]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steering<'a> {
    pub(crate) theta_ptr: View<'a, f32>,
    pub(crate) theta_gate: View<'a, f32>,
    pub(crate) context_logit: View<'a, f32>,
    pub(crate) weights: [View<'a, f32>; 4],
    pub(crate) biases: [View<'a, f32>; 4],
}

impl Steering<'_> {
    /// How much of what is read reaches the cell.
    pub(crate) fn gain(&self) -> f32 {
        super::numeric::sigmoid(self.context_logit.host()[0])
    }
}
