/* A driver without a card: answers what the environment says, so that every refusal can be seen on
   a machine that has neither. Signatures are those of cuda.h. */
#include <stdlib.h>
#include <string.h>

static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

int cuInit(unsigned flags) { (void)flags; return number("FAKE_INIT", 0); }
int cuDriverGetVersion(int *version) { *version = number("FAKE_VERSION", 13000); return 0; }
int cuDeviceGetCount(int *count) { *count = number("FAKE_CARDS", 1); return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int len, int device) {
    (void)device;
    strncpy(name, "Fake Card", len);
    return 0;
}
int cuDeviceGetUuid(unsigned char *uuid, int device) {
    (void)device;
    for (int i = 0; i < 16; i++) uuid[i] = i;
    return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    (void)device;
    *value = attribute == 75 ? number("FAKE_MAJOR", 9) : number("FAKE_MINOR", 0);
    return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    (void)device;
    *bytes = (size_t)16 << 30;
    return 0;
}
int cuGetErrorString(int code, const char **text) {
    (void)code;
    *text = "a fake error";
    return 0;
}
