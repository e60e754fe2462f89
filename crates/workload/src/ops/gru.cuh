// One unit of a GRU cell; the equations are in gru.rs.
#pragma once
#include "numeric.cuh"

constexpr int SAMPLES = 8; // of a block of a cell's products

// What is added to a unit's sums: the candidate's two apart.
struct GruBiases {
    float r, z, n, q;
};
template <class W>
__device__ inline GruBiases gru_biases(const W *ih, const W *hh, int i, int width) {
    return {value(ih[i]) + value(hh[i]), value(ih[width + i]) + value(hh[width + i]),
            value(ih[2 * width + i]), value(hh[2 * width + i])};
}

// The gates of a unit from its products: `r` and `z` of both, `n` of the input, `q` of the state.
struct GruGates {
    float r, z, n, q;

    GruGates() = default;
    // Unit i of r, z, n, q, `width` apart.
    __device__ GruGates(const float *gate, int width)
        : r(gate[0]), z(gate[width]), n(gate[2 * width]), q(gate[3 * width]) {}
    __device__ GruGates(float of_r, float of_z, float of_n, float of_q, const GruBiases &bias) {
        r = sigmoid(of_r + bias.r);
        z = sigmoid(of_z + bias.z);
        q = of_q + bias.q;
        n = tanhf(of_n + bias.n + r * q);
    }
    __device__ float next(float state) const { return (1.0f - z) * n + z * state; }
    // To unit i of r, z, n, q, `width` apart.
    __device__ void store(float *gate, int width) const {
        gate[0] = r;
        gate[width] = z;
        gate[2 * width] = n;
        gate[3 * width] = q;
    }
};

// Gradients of a unit's four pre-activations: the twin of `deactivate` in gru.rs. `gates` points at
// unit i of r, z, n, q, `width` apart, whose values are `gate`; returns z * dh.
__device__ inline float gru_deactivate(float dh, float hidden, const GruGates &gate, float *gates,
                                       int width, int mode) {
    const auto [r, z, n, q] = gate;
    const float dn = round_to(mode, dh * (1.0f - z) * (1.0f - n * n));
    gates[0] = round_to(mode, dn * q * r * (1.0f - r));
    gates[width] = round_to(mode, dh * (hidden - n) * z * (1.0f - z));
    gates[2 * width] = dn;
    gates[3 * width] = round_to(mode, dn * r);
    return dh * z;
}

// As above, with the values that `gates` points at.
__device__ inline float gru_deactivate(float dh, float hidden, float *gates, int width, int mode) {
    return gru_deactivate(dh, hidden, GruGates(gates, width), gates, width, mode);
}
