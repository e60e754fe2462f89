// Gradients of the fields and of the context's gain: the twin of field_gradients.rs.
#include "numeric.cuh"

struct FieldGradientsArguments {
    const float *theta_ptr;             // [R]
    const double *pointers;             // [T,B]
    const float *d_heads, *d_target;    // [T,B,4], [T,B]
    float *d_theta_ptr, *d_theta_gate;  // [R]
    int moves, ring_len;
};
ASSERT_SIZE(FieldGradientsArguments, 56);
ASSERT_OFFSET(FieldGradientsArguments, theta_ptr, 0);
ASSERT_OFFSET(FieldGradientsArguments, pointers, 8);
ASSERT_OFFSET(FieldGradientsArguments, d_heads, 16);
ASSERT_OFFSET(FieldGradientsArguments, d_target, 24);
ASSERT_OFFSET(FieldGradientsArguments, d_theta_ptr, 32);
ASSERT_OFFSET(FieldGradientsArguments, d_theta_gate, 40);
ASSERT_OFFSET(FieldGradientsArguments, moves, 48);
ASSERT_OFFSET(FieldGradientsArguments, ring_len, 52);

namespace fields {
// Slots of a block, and moves that it has in shared memory at once.
constexpr int SLOTS = 16, MOVES = 1024;
} // namespace fields

// One warp a slot. Its lanes look at 32 moves at once; those that reach the slot are summed in the
// order of the moves, the same in every run.
// grid ceil(R/SLOTS), block 32 * SLOTS.
template <class P> __device__ void field_gradients(const FieldGradientsArguments &p) {
    using namespace fields;
    __shared__ int slots[MOVES];
    __shared__ float parts[MOVES], targets[MOVES], gates[MOVES];
    const int slot = blockIdx.x * SLOTS + threadIdx.x / 32;
    const int below = slot > 0 ? slot - 1 : p.ring_len - 1;
    float d_ptr = 0.0f, d_gate = 0.0f;
    for (int first = 0; first < p.moves; first += MOVES) {
        __syncthreads(); // the moves before these have been looked at
#pragma unroll
        for (int i = threadIdx.x; i < MOVES; i += 32 * SLOTS) {
            const int m = first + i;
            slots[i] = -1;
            if (m < p.moves) {
                const float at = (float)(P)p.pointers[m], floor_at = floorf(at);
                slots[i] = (int)((long long)fmaxf(floor_at, 0.0f) % p.ring_len);
                parts[i] = at - floor_at;
                targets[i] = p.d_target[m];
                gates[i] = p.d_heads[(size_t)m * 4];
            }
        }
        __syncthreads();
        for (int i = threadIdx.x % 32; i < MOVES; i += 32) {
            const bool low = slots[i] == slot, high = slots[i] == below;
            const unsigned reached = __ballot_sync(0xffffffffu, low || high);
            if (reached == 0) continue;
            const float weight = (low ? 1.0f - parts[i] : 0.0f) + (high ? parts[i] : 0.0f);
            const float target = targets[i], gate = gates[i];
            for (int eight = 0; eight < 32; eight += 8) {
                if ((reached >> eight & 0xff) == 0) continue;
#pragma unroll
                for (int lane = eight; lane < eight + 8; lane++) {
                    const float w = __shfl_sync(0xffffffffu, weight, lane);
                    const float t = __shfl_sync(0xffffffffu, target, lane);
                    const float g = __shfl_sync(0xffffffffu, gate, lane);
                    if (reached >> lane & 1) {
                        d_ptr += t * w;
                        d_gate += g * w;
                    }
                }
            }
        }
    }
    if (slot >= p.ring_len || threadIdx.x % 32 != 0) return;
    const float s = sigmoid(p.theta_ptr[slot]);
    p.d_theta_ptr[slot] += d_ptr * s * (1.0f - s) * (float)(p.ring_len - 1);
    p.d_theta_gate[slot] += d_gate;
}
FOR_POINTERS(field_gradients, __launch_bounds__(32 * fields::SLOTS), FieldGradientsArguments)

struct ContextGradientArguments {
    const float *context_logit, *d_gain; // [], [B]
    float *d_context_logit;
    int batch, padding;
};
ASSERT_SIZE(ContextGradientArguments, 32);
ASSERT_OFFSET(ContextGradientArguments, context_logit, 0);
ASSERT_OFFSET(ContextGradientArguments, d_gain, 8);
ASSERT_OFFSET(ContextGradientArguments, d_context_logit, 16);
ASSERT_OFFSET(ContextGradientArguments, batch, 24);
ASSERT_OFFSET(ContextGradientArguments, padding, 28);

// One thread: samples are summed in their order.
extern "C" __global__ void context_gradient(const __grid_constant__ ContextGradientArguments p) {
    const float gain = sigmoid(*p.context_logit);
    float sum = 0.0f;
    for (int b = 0; b < p.batch; b++) sum += p.d_gain[b];
    *p.d_context_logit += sum * gain * (1.0f - gain);
}
