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

// One thread a slot, which looks at every move in the same order in every run.
template <class P> __device__ void field_gradients(const FieldGradientsArguments &p) {
    const int slot = blockIdx.x * blockDim.x + threadIdx.x;
    __shared__ int slots[256];
    __shared__ float parts[256], targets[256], gates[256];
    float d_ptr = 0.0f, d_gate = 0.0f;
    for (int first = 0; first < p.moves; first += 256) {
        __syncthreads();
        const int m = first + threadIdx.x;
        if (m < p.moves) {
            const float at = (float)(P)p.pointers[m], floor_at = floorf(at);
            slots[threadIdx.x] = (int)((long long)fmaxf(floor_at, 0.0f) % p.ring_len);
            parts[threadIdx.x] = at - floor_at;
            targets[threadIdx.x] = p.d_target[m];
            gates[threadIdx.x] = p.d_heads[(size_t)m * 4];
        }
        __syncthreads();
        const int here = min(256, p.moves - first);
        for (int i = 0; i < here; i++) {
            const bool low = slots[i] == slot, high = (slots[i] + 1) % p.ring_len == slot;
            const float weight = (low ? 1.0f - parts[i] : 0.0f) + (high ? parts[i] : 0.0f);
            if (low || high) {
                d_ptr += targets[i] * weight;
                d_gate += gates[i] * weight;
            }
        }
    }
    if (slot >= p.ring_len) return;
    const float s = sigmoid(p.theta_ptr[slot]);
    p.d_theta_ptr[slot] += d_ptr * s * (1.0f - s) * (float)(p.ring_len - 1);
    p.d_theta_gate[slot] += d_gate;
}
FOR_POINTERS(field_gradients, , FieldGradientsArguments)

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
