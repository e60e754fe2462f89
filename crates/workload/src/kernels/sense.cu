// The elementwise parts of the sensory path; its cell and its layers are gru.cu and matmul.cu.
#include "gru.cuh"

// y = round(y + x): a sensory state that comes back after its delay.
extern "C" __global__ void add(const float *x, float *y, int len, int mode) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < len) y[i] = round_to(mode, y[i] + x[i]);
}

// Token `next` gives its cell's input gradient `dx` on: through the tanh of the input layer, and
// to the state that came back. Then token `from = next - 1`: gradients of its gates from
// d_state + d_states[from], z * dh into `d_before`. One thread an element of [B,S].
extern "C" __global__ void sense_back(const float *dx, float *inputs, float *d_states,
                                      const float *states, const float *d_state, float *d_before,
                                      float *gates, int from, int tokens, int delay, int len,
                                      int width, int mode) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x, next = from + 1;
    if (i >= len) return;
    if (next < tokens) {
        float *input = inputs + (size_t)next * len + i;
        *input = round_to(mode, dx[i] * (1.0f - *input * *input));
        if (next >= delay) d_states[(size_t)(next - delay) * len + i] += dx[i];
    }
    if (from < 0) return;
    const float dh = d_state[i] + d_states[(size_t)from * len + i];
    const size_t gate = ((size_t)from * (len / width) + i / width) * 4 * width + i % width;
    d_before[i] = gru_deactivate(dh, states[(size_t)from * len + i], gates + gate, width, mode);
}
