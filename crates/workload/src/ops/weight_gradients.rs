//! Gradients of a linear layer's weight and bias from those of its outputs, over the rows of all
//! tokens: `dW += dy^T x`, `db += sum_r dy`, `dy [N,O]`, `x [N,I]`, `W [O,I]`, `b [O]`.
//!
//! On a card operands of half precision go to the tensor cores, those of few outputs to a kernel of
//! their own (weight_gradients.cu), others to matmul.cu.

use super::gemm::{Mat, matmul};
use crate::memory::buffer::{View, ViewMut};
use crate::memory::context::Kernel;
use crate::shape::Compute;
#[cfg(feature = "cuda")]
use {
    super::matmul::{Epilogue, MatmulArguments, launch},
    crate::build,
    crate::error::WorkloadError,
    crate::memory::card::Card,
    crate::memory::launch::{Grid, kernel_arguments},
    crate::memory::pointer::Ptr,
};

/// Added to `weight` and `bias`; rows of `dy` lie `stride` apart.
pub(crate) struct WeightGradients<'a> {
    pub(crate) dy: View<'a, f32>,
    pub(crate) stride: usize,
    pub(crate) x: View<'a, f32>,
    pub(crate) weight: ViewMut<'a, f32>,
    pub(crate) bias: ViewMut<'a, f32>,
    pub(crate) rows: usize,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    /// The numbers that every value of `dy` and of `x` has been rounded to.
    pub(crate) operands: Compute,
}

impl Kernel for WeightGradients<'_> {
    fn cpu(self) {
        let Self { rows, outputs, inputs, stride, .. } = self;
        let dy = self.dy.host();
        let transposed = Mat::strided(dy, rows, outputs, stride).t();
        matmul(self.weight.host(), inputs, transposed, Mat::new(self.x.host(), rows, inputs), true);
        let bias = self.bias.host();
        for row in dy.chunks(stride).take(rows) {
            bias.iter_mut().zip(&row[..outputs]).for_each(|(sum, g)| *sum += g);
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda(self, card: &Card) -> Result<(), WorkloadError> {
        match self.operands {
            Compute::Fp16 | Compute::Bf16 if build::is_for(build::TENSOR_CORES) => {
                self.on_cores(card)
            }
            _ if self.outputs <= FEW => self.of_few(card),
            _ => self.in_fp32(card),
        }
    }
}

// The numbers of weight_gradients.cu.
#[cfg(feature = "cuda")]
const TILE: usize = 64;
#[cfg(feature = "cuda")]
const CLUSTER: usize = 8;
#[cfg(feature = "cuda")]
const FEW: usize = 4;

#[cfg(feature = "cuda")]
impl WeightGradients<'_> {
    fn on_cores(self, card: &Card) -> Result<(), WorkloadError> {
        let (high, wide) = (self.outputs.div_ceil(TILE), self.inputs.div_ceil(TILE));
        let is_split = build::is_for(build::CLUSTERS) && high * wide < card.room().multiprocessors;
        let (name, blocks) = match is_split {
            true => ("weight_gradients_split", (high * CLUSTER, wide)),
            false => ("weight_gradients_whole", (high, wide)),
        };
        // SAFETY: the views hold matrices of these sizes.
        unsafe { card.launch(name, Grid { blocks, threads: 256 }, self.arguments()) }
    }

    fn of_few(self, card: &Card) -> Result<(), WorkloadError> {
        let grid = Grid { blocks: (self.inputs.div_ceil(32), 1), threads: 1024 };
        // SAFETY: the views hold matrices of these sizes.
        unsafe { card.launch("weight_gradients_few", grid, self.arguments()) }
    }

    fn arguments(self) -> WeightGradientsArguments {
        WeightGradientsArguments {
            dy: self.dy.card(),
            x: self.x.card(),
            weight: self.weight.card(),
            bias: self.bias.card(),
            rows: self.rows as i32,
            stride: self.stride as i32,
            outputs: self.outputs as i32,
            inputs: self.inputs as i32,
        }
    }

    fn in_fp32(self, card: &Card) -> Result<(), WorkloadError> {
        let product = MatmulArguments {
            a: self.dy.card(),
            b: self.x.card().cast(),
            c: self.weight.card(),
            bias: Ptr::NULL,
            row_sums: self.bias.card(),
            a_row: 1,
            a_col: self.stride as i64,
            b_row: self.inputs as i64,
            b_col: 1,
            m: self.outputs as i32,
            n: self.inputs as i32,
            k: self.rows as i32,
            epilogue: Epilogue::Add as i32,
            mode: 0,
            padding: 0,
        };
        // SAFETY: the views hold matrices of these sizes.
        unsafe { launch(card, Compute::Fp32, product) }
    }
}

#[cfg(feature = "cuda")]
kernel_arguments! {
    /// `WeightGradientsArguments` of weight_gradients.cu.
    struct WeightGradientsArguments: 48 {
        dy: Ptr<f32> = 0,
        x: Ptr<f32> = 8,
        weight: Ptr<f32> = 16,
        bias: Ptr<f32> = 24,
        rows: i32 = 32,
        stride: i32 = 36,
        outputs: i32 = 40,
        inputs: i32 = 44,
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::buffer_spec::{BufferKind, BufferSpec};
    use crate::memory::buffer::Buffer;
    use crate::memory::context::Context;

    const ANY: BufferSpec = BufferSpec::new(BufferKind::Workspace, "any", &[]);

    /// Of `rows`, `outputs` and `inputs`, the outputs from `first` on of rows `stride` long.
    struct Case {
        rows: usize,
        outputs: usize,
        inputs: usize,
        first: usize,
        stride: usize,
    }

    const CASES: [Case; 10] = [
        // A cell as wide as an odd sensory path: no row but the first of a few begins at 16 bytes.
        Case { rows: 4109, outputs: 255, inputs: 85, first: 0, stride: 340 },
        Case { rows: 1001, outputs: 85, inputs: 85, first: 255, stride: 340 },
        // Rows that do, and tiles that are full.
        Case { rows: 512, outputs: 128, inputs: 64, first: 0, stride: 512 },
        Case { rows: 777, outputs: 132, inputs: 68, first: 132, stride: 528 },
        // Few outputs, of rows that are longer, more and fewer columns than a warp has lanes.
        Case { rows: 4100, outputs: 4, inputs: 100, first: 0, stride: 4 },
        Case { rows: 45, outputs: 3, inputs: 7, first: 1, stride: 9 },
        Case { rows: 333, outputs: 66, inputs: 1, first: 0, stride: 66 },
        // Fewer rows than blocks of a cluster, and one.
        Case { rows: 5, outputs: 7, inputs: 3, first: 0, stride: 7 },
        Case { rows: 1, outputs: 64, inputs: 65, first: 0, stride: 64 },
        // More tiles than a card has multiprocessors.
        Case { rows: 131, outputs: 1030, inputs: 1022, first: 2, stride: 1033 },
    ];

    /// Whole numbers up to `most`, each as likely as its negative.
    fn whole_numbers(len: usize, most: i64, seed: u64) -> Vec<i64> {
        let next = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (*state >> 33) as i64 % (2 * most + 1) - most
        };
        let mut state = seed;
        (0..len).map(|_| next(&mut state)).collect()
    }

    fn buffer(context: &Context, values: &[i64]) -> Buffer<f32> {
        let mut buffer = context.zeros_of::<f32>(&ANY, values.len()).unwrap();
        let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
        context.write(&mut buffer, &values).unwrap();
        buffer
    }

    /// Whole numbers whose sums have room in fp32: any order of them has the same bits.
    fn sums_are_exact(device: &Device) {
        let context = Context::new(device).unwrap();
        for (n, case) in CASES.iter().enumerate() {
            let &Case { rows, outputs, inputs, first, stride } = case;
            for (operands, most) in
                [(Compute::Fp32, 2047), (Compute::Fp16, 2047), (Compute::Bf16, 255)]
            {
                for (of_dy, of_x) in [(most, 1), (1, most)] {
                    let dy = whole_numbers(first + rows * stride, of_dy, 1 + n as u64);
                    let x = whole_numbers(rows * inputs, of_x, 101 + n as u64);
                    let mut weight = whole_numbers(outputs * inputs, 9, 201 + n as u64);
                    let mut bias = whole_numbers(outputs, 9, 301 + n as u64);
                    let (dy_there, x_there) = (buffer(&context, &dy), buffer(&context, &x));
                    let mut weight_there = buffer(&context, &weight);
                    let mut bias_there = buffer(&context, &bias);
                    let gradients = WeightGradients {
                        dy: dy_there.view().slice(first..dy.len()),
                        stride,
                        x: x_there.view(),
                        weight: weight_there.view_mut(),
                        bias: bias_there.view_mut(),
                        rows,
                        outputs,
                        inputs,
                        operands,
                    };
                    context.run(gradients).unwrap();
                    for r in 0..rows {
                        let x = &x[r * inputs..][..inputs];
                        for (o, dy) in dy[first + r * stride..][..outputs].iter().enumerate() {
                            bias[o] += dy;
                            let weight = &mut weight[o * inputs..][..inputs];
                            weight.iter_mut().zip(x).for_each(|(sum, x)| *sum += dy * x);
                        }
                    }
                    let equal = |found: Vec<f32>, expected: &[i64]| {
                        found.iter().map(|&v| v as i64).eq(expected.iter().copied())
                    };
                    let at = format!("case {n}, {operands:?}, {of_dy} x {of_x}");
                    assert!(equal(weight_there.read(0..weight.len()).unwrap(), &weight), "{at}");
                    assert!(equal(bias_there.read(0..bias.len()).unwrap(), &bias), "{at}: bias");
                }
            }
        }
    }

    #[test]
    fn sums_are_exact_on_the_cpu() {
        sums_are_exact(&Device::Cpu);
    }

    #[cfg(feature = "cuda")]
    #[test]
    #[ignore = "compares values: needs a real card"]
    fn sums_are_exact_on_a_card() {
        sums_are_exact(&Device::new_cuda_with_stream(0).unwrap());
    }
}
