//! The forward in candle's own operations, equation by equation, differentiable by its autograd.
//!
//! Floor, round and sign have no gradient: what they are taken of is detached. With half precision
//! both operands of every layer's product are cast to it, and the result back. The bias, the gates,
//! the hidden state, the ring and the four scalar heads are fp32 in every mode.

use candle_core::{D, DType, Device, Error, Result, Tensor};
use candle_nn::ops::{sigmoid, softmax};
use candle_nn::{Linear, Module};

use super::od1::Od1;
use super::ring_tensors::{RingAxis, Slots, round};
use super::state_loop::{ModeScores, StateLoop};
use crate::parameters::at;
use crate::shape::{Compute, Pointer};
use crate::tensor_check::check;

/// What a forward gives. Logits and penalty can be differentiated.
#[derive(Debug)]
pub struct Output {
    /// `[B,C]`, fp32.
    pub logits: Tensor,
    /// Mean distance that a pointer moved at a token, in slots: `[]`, fp64. No part of the loss.
    pub move_penalty: Tensor,
    /// The slot of each pointer after the last token: `[B]`, u32.
    pub ptr_int: Tensor,
    /// What the watched samples did, where the shape watches any.
    pub state_loop: Option<StateLoop>,
}

impl Od1 {
    /// Runs all tokens of `x` `[B,T,1]`, fp32, from pointers at `starts * (R - 1)`, where `starts`
    /// is `[B]`, fp64, in `[0,1)`.
    ///
    /// With one readout head nothing is read back from the device. With more, the slots of the last
    /// token are, to route each sample to its head: heads that no sample reaches get no gradient.
    ///
    /// # Errors
    ///
    /// candle's, around [`WorkloadError::Tensor`](crate::error::WorkloadError::Tensor) if a tensor has
    /// another shape, type or device.
    pub fn forward(&self, x: &Tensor, starts: &Tensor) -> Result<Output> {
        let shape = self.shape();
        let (batch, tokens, ring_len) = (shape.batch, shape.synth_len, shape.ring_len);
        let device = self.device();
        check("x", x, &[batch, tokens, 1], DType::F32, device).map_err(Error::wrap)?;
        check("starts", starts, &[batch], DType::F64, device).map_err(Error::wrap)?;
        let float = DType::F32;
        let pointer = match shape.pointer {
            Pointer::Fp64 => DType::F64,
            Pointer::Fp32 => DType::F32,
        };
        let axis = RingAxis::new(ring_len, pointer, device)?;
        // Anchor and residual are fp64, whatever the pointer is.
        let wide = RingAxis::new(ring_len, DType::F64, device)?;
        let slots = Slots::new(shape, device)?;

        // Half precision casts each weight once a step, here.
        let sensory_in = self.layer(at::SENSORY_IN)?;
        let sensory_gru = self.cell(at::SENSORY_GRU)?;
        let bridge = self.layer(at::BRIDGE)?;
        let gru = self.cell(at::GRU)?;
        let head = |k: usize| {
            let (weight, bias) = (self.tensor(at::HEADS + k), self.tensor(at::HEADS + 4 + k));
            Linear::new(weight.clone(), Some(bias.clone()))
        };
        let (jump_score, inertia_head, deadzone_head, walk_head) =
            (head(0), head(1), head(2), head(3));
        let context = sigmoid(self.tensor(at::CONTEXT))?;
        let inertia_limit = Tensor::full(0.99f32, (), device)?;
        let mut modes = ModeScores::new(self)?;

        // Start: M = 0, h = 0, p = u (R - 1), anchor = rem(round(p)), res = p - anchor.
        let mut ring = Tensor::zeros((batch * ring_len, shape.slot_dim), float, device)?;
        let mut h = Tensor::zeros((batch, shape.slot_dim), float, device)?;
        let mut p = (starts.to_dtype(pointer)? * (ring_len - 1) as f64)?;
        let mut anchor = wide.rem(&round(&p)?)?;
        let mut res = (p.to_dtype(DType::F64)? - &anchor)?;
        p = (&anchor + &res)?.to_dtype(pointer)?;
        let mut moved = Tensor::zeros((), DType::F64, device)?;

        // Tokens first, so that each token's input lies in one piece.
        let x = x.reshape((batch, tokens, 1))?.transpose(0, 1)?.contiguous()?;
        let mut sensed: Vec<Tensor> = Vec::with_capacity(tokens);
        for t in 0..tokens {
            // s_t = GRU(tanh(sensory_proj_in(x_t)) + s_{t-Ls}, s_{t-1})
            let mut input = sensory_in.forward(&x.get(t)?)?.tanh()?;
            if let Some(delayed) = t.checked_sub(shape.sensory_delay) {
                input = (input + &sensed[delayed])?;
            }
            let s = match sensed.last() {
                Some(before) => sensory_gru.forward(&input, before)?,
                None => sensory_gru.forward(&input, &input.zeros_like()?)?,
            };

            // 1, 2: inp, and the neighbourhood of p with its weights.
            let inp = bridge.forward(&s)?.tanh()?;
            sensed.push(s);
            let centres = slots.neighbourhood(&p)?;
            let offsets = axis.wrap(&p.unsqueeze(1)?, &centres.to_dtype(pointer)?)?;
            let w = softmax(&(offsets.sqr()?.neg()? / 8.0)?, 1)?.to_dtype(float)?.unsqueeze(2)?;

            // 3: cur = sum_j w_j M[b,c_j,:]
            let rows = slots.rows(&centres)?;
            let near = ring.index_select(&rows, 0)?.reshape((batch, (), shape.slot_dim))?;
            let cur = near.broadcast_mul(&w)?.sum(1)?;

            // 4: h = GRU(inp + sigmoid(context_logit) cur, h)
            h = gru.forward(&(inp + cur.broadcast_mul(&context)?)?, &h)?;
            if let Some(modes) = &mut modes {
                modes.watch(&h);
            }

            // 5: M[b,c_j,:] += w_j h, as a new state: the one that was read is the tape.
            let written = w.broadcast_mul(&h.unsqueeze(1)?)?;
            ring = ring.index_add(&rows, &written.reshape(((), shape.slot_dim))?, 0)?;

            // 6: q = p where the pointer is held, else where the heads send it.
            let held = !t.is_multiple_of(shape.ptr_update_every);
            let q = if held {
                p.clone()
            } else {
                let scalar = |head: &Linear| head.forward(&h)?.squeeze(1);
                let i = sigmoid(&scalar(&inertia_head)?)?.broadcast_minimum(&inertia_limit)?;
                let z = softplus(&scalar(&deadzone_head)?)?.to_dtype(pointer)?;
                let k = sigmoid(&scalar(&walk_head)?)?.to_dtype(pointer)?;
                // The fields at p, interpolated; the fraction is a constant.
                let single = p.detach().to_dtype(float)?;
                let first = single.floor()?;
                let part = (single - &first)?;
                let i0 = wide.rem(&first.to_dtype(DType::F64)?)?;
                let i1 = wide.rem(&(&i0 + 1.0)?)?.to_dtype(DType::U32)?;
                let i0 = i0.to_dtype(DType::U32)?;
                let mix = |a: Tensor, b: Tensor| part.affine(-1.0, 1.0)? * a + (&part * b)?;
                let target = |i: &Tensor| -> Result<Tensor> {
                    let theta = self.tensor(at::THETA_PTR).index_select(i, 0)?;
                    sigmoid(&theta)? * (ring_len - 1) as f64
                };
                let gate = |i: &Tensor| self.tensor(at::THETA_GATE).index_select(i, 0);
                let th = mix(target(&i0)?, target(&i1)?)?.to_dtype(DType::F64)?;
                let g = mix(gate(&i0)?, gate(&i1)?)?;
                // Straight through: round(th) with th's gradient. Exact, for th came from fp32.
                let rounded = (&th + (round(&th)? - &th.detach())?)?.to_dtype(pointer)?;
                let jump = sigmoid(&(scalar(&jump_score)? + g)?)?.to_dtype(pointer)?;

                let walked = axis.lerp(&p, &axis.rem(&(&p + 1.0)?)?, &k)?;
                let q = axis.lerp(&walked, &rounded, &jump)?;
                let q = axis.lerp(&p, &q, &i.to_dtype(pointer)?.affine(-1.0, 1.0)?)?;
                let d = axis.wrap(&p, &q)?;
                let edge = sigmoid(&((d.abs()? - z)? / 0.25)?)?;
                axis.rem(&(&p + edge * d)?)?
            };

            // 7: res += wrap(p,q); whole slots, at most one, go from res to anchor.
            res = (res + axis.wrap(&p, &q)?.to_dtype(DType::F64)?)?;
            let fixed = res.detach();
            // clamp(floor(|res|) sign(res), -1, 1): the floor is a whole number, none or more.
            let u = (fixed.abs()?.floor()?.sign()? * fixed.sign()?)?;
            anchor = wide.rem(&(anchor + &u)?)?;
            let next = wide.rem(&(&anchor + (res - u)?)?)?.to_dtype(pointer)?;
            if held {
                anchor = wide.rem(&round(&next)?)?;
            }
            res = wide.wrap(&anchor, &next.to_dtype(DType::F64)?)?;

            // 8: move += mean_b |wrap(p,p')|
            let distance = axis.wrap(&p, &next)?.abs()?.to_dtype(DType::F64)?;
            moved = (moved + distance.mean_all()?)?;
            p = next;
        }

        // a = clamp(floor(p),0,R-1); logits = head(M[b,a,:] + h)
        let last = slots.slot(&p)?;
        let rows = slots.rows(&last.unsqueeze(1)?)?;
        let features = (ring.index_select(&rows, 0)? + h)?;
        let ptr_int = last.to_dtype(DType::U32)?;
        Ok(Output {
            logits: self.read_out(&features, &ptr_int)?,
            move_penalty: (moved / tokens as f64)?,
            ptr_int,
            state_loop: modes.map(|modes| modes.finish()).transpose()?,
        })
    }

    /// `head(features)`; of several heads, sample b's is that of number `slots[b] mod E`.
    fn read_out(&self, features: &Tensor, slots: &Tensor) -> Result<Tensor> {
        let heads = self.shape().out_dim;
        if heads == 1 {
            return self.layer(at::READOUT)?.forward(features);
        }
        let slots = slots.to_vec1::<u32>()?;
        let head_of = |sample: u32| slots[sample as usize] as usize % heads;
        // Samples of one head are neighbours, each head is applied once, then all go back.
        let mut order: Vec<u32> = (0..slots.len() as u32).collect();
        order.sort_by_key(|&sample| head_of(sample));
        let logits: Result<Vec<Tensor>> = order
            .chunk_by(|&a, &b| head_of(a) == head_of(b))
            .map(|samples| {
                let layer = self.layer(at::READOUT + 2 * head_of(samples[0]))?;
                let samples = Tensor::from_slice(samples, samples.len(), self.device())?;
                layer.forward(&features.index_select(&samples, 0)?)
            })
            .collect();
        let mut back = vec![0u32; order.len()];
        order.iter().zip(0..).for_each(|(&sample, place)| back[sample as usize] = place);
        let back = Tensor::from_vec(back, order.len(), self.device())?;
        Tensor::cat(&logits?, 0)?.index_select(&back, 0)
    }

    /// The layer whose weight is at `place` and whose bias follows.
    fn layer(&self, place: usize) -> Result<Layer> {
        Layer::new(self.shape().compute, self.tensor(place), self.tensor(place + 1))
    }

    /// The cell whose `weight_ih` is at `place`.
    fn cell(&self, place: usize) -> Result<GruCell> {
        let layer = |weight, bias| {
            Layer::new(self.shape().compute, self.tensor(place + weight), self.tensor(place + bias))
        };
        Ok(GruCell { input: layer(0, 2)?, hidden: layer(1, 3)? })
    }
}

/// A linear layer whose product is taken in the numbers of the mode.
struct Layer {
    compute: Compute,
    product: Linear,
    bias: Tensor,
}

impl Layer {
    fn new(compute: Compute, weight: &Tensor, bias: &Tensor) -> Result<Self> {
        let product = Linear::new(operand(compute, weight)?, None);
        Ok(Self { compute, product, bias: bias.clone() })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let product = self.product.forward(&operand(self.compute, x)?)?;
        operand(self.compute, &product)?.to_dtype(DType::F32)?.broadcast_add(&self.bias)
    }
}

/// `x` in the numbers of the mode's products. candle has no bf16 product on the CPU: there the
/// numbers are rounded to bf16 and multiplied in fp32.
fn operand(compute: Compute, x: &Tensor) -> Result<Tensor> {
    match (compute, x.device()) {
        (Compute::Fp32, _) => Ok(x.clone()),
        (Compute::Fp16, _) => x.to_dtype(DType::F16),
        (Compute::Bf16, Device::Cpu) => x.to_dtype(DType::BF16)?.to_dtype(DType::F32),
        (Compute::Bf16, _) => x.to_dtype(DType::BF16),
    }
}

/// PyTorch's `GRUCell`: gates in the order r, z, n.
struct GruCell {
    input: Layer,
    hidden: Layer,
}

impl GruCell {
    fn forward(&self, x: &Tensor, h: &Tensor) -> Result<Tensor> {
        let from_x = self.input.forward(x)?.chunk(3, D::Minus1)?;
        let from_h = self.hidden.forward(h)?.chunk(3, D::Minus1)?;
        let r = sigmoid(&(&from_x[0] + &from_h[0])?)?;
        let z = sigmoid(&(&from_x[1] + &from_h[1])?)?;
        let n = (&from_x[2] + r * &from_h[2])?.tanh()?;
        z.affine(-1.0, 1.0)? * n + (z * h)?
    }
}

/// `ln(1 + e^x)`, which is never below 0, without overflow.
fn softplus(x: &Tensor) -> Result<Tensor> {
    x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()
}
