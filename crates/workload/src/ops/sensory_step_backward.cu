// The elementwise part of the sensory path backward: the twin of sensory_step_backward.rs. One
// thread an element of [B,S].
#include "gru.cuh"

struct SensoryStepBackwardArguments {
    const float *dx;      // [B,S], of token from + 1
    float *inputs;        // [T,B,S]
    float *d_states;      // [T,B,S]
    const float *states;  // [T+1,B,S]
    float *d_state;       // [B,S]
    float *d_before;      // [B,S]
    float *gates;         // [T,B,4S]
    int from, tokens, delay, len, width, mode;
};
ASSERT_SIZE(SensoryStepBackwardArguments, 80);
ASSERT_OFFSET(SensoryStepBackwardArguments, dx, 0);
ASSERT_OFFSET(SensoryStepBackwardArguments, inputs, 8);
ASSERT_OFFSET(SensoryStepBackwardArguments, d_states, 16);
ASSERT_OFFSET(SensoryStepBackwardArguments, states, 24);
ASSERT_OFFSET(SensoryStepBackwardArguments, d_state, 32);
ASSERT_OFFSET(SensoryStepBackwardArguments, d_before, 40);
ASSERT_OFFSET(SensoryStepBackwardArguments, gates, 48);
ASSERT_OFFSET(SensoryStepBackwardArguments, from, 56);
ASSERT_OFFSET(SensoryStepBackwardArguments, tokens, 60);
ASSERT_OFFSET(SensoryStepBackwardArguments, delay, 64);
ASSERT_OFFSET(SensoryStepBackwardArguments, len, 68);
ASSERT_OFFSET(SensoryStepBackwardArguments, width, 72);
ASSERT_OFFSET(SensoryStepBackwardArguments, mode, 76);

// One element `i` of [B,S]. `dx` is of token from + 1, `d_state` of the state after token `from`.
__device__ inline void sensory_step_backward(const SensoryStepBackwardArguments &p, int from, int i,
                                             float dx, float d_state, float *d_before) {
    const int next = from + 1;
    if (next < p.tokens) {
        float *input = p.inputs + (size_t)next * p.len + i;
        *input = round_to(p.mode, dx * (1.0f - *input * *input));
        if (next >= p.delay) p.d_states[(size_t)(next - p.delay) * p.len + i] += dx;
    }
    if (from < 0) return;
    const float dh = d_state + p.d_states[(size_t)from * p.len + i];
    const size_t gate = ((size_t)from * (p.len / p.width) + i / p.width) * 4 * p.width + i % p.width;
    *d_before = gru_deactivate(dh, p.states[(size_t)from * p.len + i], p.gates + gate, p.width, p.mode);
}

extern "C" __global__ void
sensory_step_backward(const __grid_constant__ SensoryStepBackwardArguments p) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < p.len) sensory_step_backward(p, p.from, i, p.dx[i], p.d_state[i], p.d_before + i);
}
