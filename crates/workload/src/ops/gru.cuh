// Gradients of one unit's four pre-activations: the twin of `deactivate` in gru.rs.
#pragma once
#include "numeric.cuh"

constexpr int SAMPLES = 8; // of a block of a cell's products

// `gates` points at unit i of r, z, n, q, `width` apart; returns z * dh.
__device__ inline float gru_deactivate(float dh, float hidden, float *gates, int width, int mode) {
    const float r = gates[0], z = gates[width], n = gates[2 * width], q = gates[3 * width];
    const float dn = round_to(mode, dh * (1.0f - z) * (1.0f - n * n));
    gates[0] = round_to(mode, dn * q * r * (1.0f - r));
    gates[width] = round_to(mode, dh * (hidden - n) * z * (1.0f - z));
    gates[2 * width] = dn;
    gates[3 * width] = round_to(mode, dn * r);
    return dh * z;
}
