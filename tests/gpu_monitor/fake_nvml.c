/* A stand-in for the driver's library, with two GPUs: enough of NVML for what the monitor reads.
 * fakeNvmlFail(function, gpu, code) makes a call fail from now on; fakeNvmlDelay makes every reading slow. */
#include <string.h>
#include <stdio.h>
#include <unistd.h>

typedef struct { int index; } device;
typedef struct { unsigned int gpu, memory; } rates;
typedef struct { unsigned long long total, free, used; } memory_v1;
typedef struct { unsigned int version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned int version, sensor; int celsius; } thermometer;

static device devices[2] = {{0}, {1}};
static struct { char name[64]; int gpu, code; } failures[32];
static int count, delay_us, calls;

void fakeNvmlFail(const char *name, int gpu, int code) {
    for (int i = 0; i < count; i++)
        if (!strcmp(failures[i].name, name) && failures[i].gpu == gpu) { failures[i].code = code; return; }
    snprintf(failures[count].name, sizeof failures[count].name, "%s", name);
    failures[count].gpu = gpu;
    failures[count++].code = code;
}
void fakeNvmlDelay(int us) { delay_us = us; }
int fakeNvmlCalls(void) { return calls; }

static int status(const char *name, int gpu) {
    calls++;
    if (delay_us) usleep(delay_us);
    for (int i = 0; i < count; i++)
        if (!strcmp(failures[i].name, name) && (failures[i].gpu == gpu || failures[i].gpu < 0)) return failures[i].code;
    return 0;
}
#define CHECK(gpu) int code = status(__func__, gpu); if (code) return code

int nvmlInitWithFlags(unsigned int flags) { CHECK(-1); return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return "fake"; }
int nvmlDeviceGetCount_v2(unsigned int *n) { CHECK(-1); *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, device **out) { CHECK((int)index); *out = &devices[index]; return 0; }
int nvmlDeviceGetUtilizationRates(device *d, rates *out) { CHECK(d->index); out->gpu = 40 + d->index; out->memory = 5; return 0; }
int nvmlDeviceGetMemoryInfo(device *d, memory_v1 *out) { CHECK(d->index); out->total = 1000; out->used = 300; out->free = 700; return 0; }
int nvmlDeviceGetMemoryInfo_v2(device *d, memory_v2 *out) {
    CHECK(d->index); out->total = 1000; out->reserved = 50; out->used = 250; out->free = 700; return 0;
}
int nvmlDeviceGetPowerUsage(device *d, unsigned int *mw) { CHECK(d->index); *mw = 71250; return 0; }
int nvmlDeviceGetTemperatureV(device *d, thermometer *t) { CHECK(d->index); t->celsius = 55; return 0; }
int nvmlDeviceGetTemperature(device *d, int sensor, unsigned int *celsius) { CHECK(d->index); *celsius = 54; return 0; }
int nvmlDeviceGetName(device *d, char *out, unsigned int n) { snprintf(out, n, "Fake GPU %d", d->index); return 0; }
int nvmlDeviceGetUUID(device *d, char *out, unsigned int n) { snprintf(out, n, "GPU-%d", d->index); return 0; }
int nvmlSystemGetDriverVersion(char *out, unsigned int n) { snprintf(out, n, "600.1"); return 0; }
