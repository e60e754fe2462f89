// The elementwise parts of the sensory path forward: the twin of sensory_inputs.rs. One thread an
// element.
#include "numeric.cuh"

struct TokenMajorArguments {
    const float *inputs; // [B,T]
    float *by_token;     // [T,B]
    int batch, tokens, mode, padding;
};
ASSERT_SIZE(TokenMajorArguments, 32);
ASSERT_OFFSET(TokenMajorArguments, inputs, 0);
ASSERT_OFFSET(TokenMajorArguments, by_token, 8);
ASSERT_OFFSET(TokenMajorArguments, batch, 16);
ASSERT_OFFSET(TokenMajorArguments, tokens, 20);
ASSERT_OFFSET(TokenMajorArguments, mode, 24);
ASSERT_OFFSET(TokenMajorArguments, padding, 28);

extern "C" __global__ void token_major(const __grid_constant__ TokenMajorArguments p) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= (long long)p.batch * p.tokens) return;
    const long long t = i / p.batch, b = i % p.batch;
    p.by_token[i] = round_to(p.mode, p.inputs[b * p.tokens + t]);
}

struct AddDelayedArguments {
    const float *delayed;
    float *x;
    int len, mode;
};
ASSERT_SIZE(AddDelayedArguments, 24);
ASSERT_OFFSET(AddDelayedArguments, delayed, 0);
ASSERT_OFFSET(AddDelayedArguments, x, 8);
ASSERT_OFFSET(AddDelayedArguments, len, 16);
ASSERT_OFFSET(AddDelayedArguments, mode, 20);

extern "C" __global__ void add_delayed(const __grid_constant__ AddDelayedArguments p) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < p.len) p.x[i] = round_to(p.mode, p.x[i] + p.delayed[i]);
}

struct RoundAllArguments {
    float *values;
    long long len;
    int mode, padding;
};
ASSERT_SIZE(RoundAllArguments, 24);
ASSERT_OFFSET(RoundAllArguments, values, 0);
ASSERT_OFFSET(RoundAllArguments, len, 8);
ASSERT_OFFSET(RoundAllArguments, mode, 16);
ASSERT_OFFSET(RoundAllArguments, padding, 20);

extern "C" __global__ void round_all(const __grid_constant__ RoundAllArguments p) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i < p.len) p.values[i] = round_to(p.mode, p.values[i]);
}
