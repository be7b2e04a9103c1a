/* A stand-in for libnvidia-ml.so.1, for machines without a GPU. Layouts follow the types of nvml.h that stand beside them;
 * the tests compare their sizes with pynvml's.
 *
 * What it answers is set by the functions fakeNvml...; a list of numbers is answered one after the other, the last for ever.
 * A GPU of -1 means all of them. What was not set is refused with NOT_SUPPORTED, as on a GPU that lacks it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
enum { MOST_GPUS = 16, MOST_INSTANCES = 8, MOST_FIELDS = 512, MOST_NAMES = 4096, MOST_NUMBERS = 8, MOST_PROCESSES = 256 };

typedef struct { int gpu, instance; } device;
typedef struct { double numbers[MOST_NUMBERS]; int count, at; } script;

typedef struct { unsigned gpu, memory; } utilization;                                             /* nvmlUtilization_t */
typedef struct { unsigned long long total, free, used; } memory_v1;                               /* nvmlMemory_t */
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2;   /* nvmlMemory_v2_t */
typedef struct { unsigned version, sensor; int celsius; } temperature;                            /* nvmlTemperature_v1_t */
typedef union { double d; unsigned u; unsigned long long q; long long s; int i; unsigned short h; } value; /* nvmlValue_t */
typedef struct { unsigned id, scope; long long time_us, latency_us; unsigned type; int code; value value; } field; /* nvmlFieldValue_t */
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } process; /* nvmlProcessInfo_v2_t */
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } pci;     /* nvmlPciInfo_t */
typedef struct { unsigned processors, engines[5], slices[2]; unsigned long long memory_mb; } attributes;   /* nvmlDeviceAttributes_t */
typedef struct { unsigned version, is_supported; } gpm_support;                                   /* nvmlGpmSupport_t */
typedef struct { int gpu, instance; double clock; } gpm_sample;
typedef struct { unsigned id; int code; double value; char *names[3]; } gpm_metric;               /* nvmlGpmMetric_t */
typedef struct { unsigned version, count; gpm_sample *older, *newer; gpm_metric metrics[]; } gpm_request; /* nvmlGpmMetricsGet_t */

static struct { char name[64]; int gpu; script script; int fail, calls; volatile int hangs; } names[MOST_NAMES];
static struct { script script; int type, code, is_set; } fields[MOST_GPUS][MOST_FIELDS];
static process processes[MOST_PROCESSES];
static int process_count, initialized_pid, total_calls;
static device devices[MOST_GPUS][MOST_INSTANCES + 1];

/* What the tests set */

static int find(const char *name, int gpu, int create) {
    unsigned hash = 2166136261u ^ (unsigned)gpu;
    for (const char *c = name; *c; c++) hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (unsigned i = hash;; i++) {
        int at = i % MOST_NAMES;
        if (!names[at].name[0]) {
            if (!create) return -1;
            snprintf(names[at].name, sizeof names[at].name, "%s", name);
            names[at].gpu = gpu;
            return at;
        }
        if (names[at].gpu == gpu && !strcmp(names[at].name, name)) return at;
    }
}
static void set(script *script, const double *numbers, int count) {
    memcpy(script->numbers, numbers, sizeof *numbers * count);
    script->count = count;
    script->at = 0;
}
static double next(script *script) {
    int at = script->at;
    if (at < script->count - 1) script->at++;
    return script->numbers[at];
}
void fakeNvmlSet(const char *name, int gpu, const double *numbers, int count) { set(&names[find(name, gpu, 1)].script, numbers, count); }
void fakeNvmlFail(const char *function, int gpu, int code) { names[find(function, gpu, 1)].fail = code; }
void fakeNvmlHang(const char *function, int hangs) { names[find(function, -1, 1)].hangs = hangs; }
int fakeNvmlCalls(const char *function) { return *function ? names[find(function, -1, 1)].calls : total_calls; }
void fakeNvmlProcess(unsigned pid, double used) { processes[process_count++] = (process){pid, (unsigned long long)used, -1, -1}; }
void fakeNvmlField(int gpu, int id, int type, int code, const double *numbers, int count) {
    for (int i = gpu < 0 ? 0 : gpu; i <= (gpu < 0 ? MOST_GPUS - 1 : gpu); i++) {
        fields[i][id].type = type;
        fields[i][id].code = code;
        fields[i][id].is_set = 1;
        set(&fields[i][id].script, numbers, count);
    }
}
int fakeNvmlSize(const char *layout) {
    static const struct { const char *name; int size; } sizes[] = {
        {"utilization", sizeof(utilization)}, {"memory_v1", sizeof(memory_v1)}, {"memory_v2", sizeof(memory_v2)},
        {"temperature", sizeof(temperature)}, {"field", sizeof(field)}, {"process", sizeof(process)}, {"pci", sizeof(pci)},
        {"attributes", sizeof(attributes)}, {"gpm_support", sizeof(gpm_support)}, {"gpm_metric", sizeof(gpm_metric)},
        {"gpm_head", sizeof(gpm_request)},
    };
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!strcmp(sizes[i].name, layout)) return sizes[i].size;
    return -1;
}

/* How each function begins */

static int number(const char *name, int gpu, double *out) {
    int at = find(name, gpu, 0);
    if (at < 0 || !names[at].script.count) at = find(name, -1, 0);
    if (at < 0 || !names[at].script.count) return NOT_SUPPORTED;
    *out = next(&names[at].script);
    return OK;
}
static int refusal(const char *function, int gpu) {
    int at = find(function, gpu, 0);
    return at < 0 ? OK : names[at].fail;
}
static int begin(const char *function, int gpu) {
    int at = find(function, -1, 1), code;
    names[at].calls++;
    total_calls++;
    while (names[at].hangs) usleep(1000);
    if ((code = refusal("*", -1)) || (code = names[at].fail)) return code;
    if (gpu >= 0 && ((code = refusal("*", gpu)) || (code = refusal(function, gpu)))) return code;
    return initialized_pid == getpid() ? OK : UNINITIALIZED;
}
#define BEGIN(gpu) do { int code = begin(__func__, gpu); if (code) return code; } while (0)
#define WHOLE(d) do { BEGIN((d)->gpu); if ((d)->instance) return NOT_SUPPORTED; } while (0)
#define NUMBER(name, gpu, target) do { double found; int code = number(name, gpu, &found); if (code) return code; target = found; } while (0)

static int count_of(const char *name, int gpu) { double found = 0; number(name, gpu, &found); return found; }

/* The library */

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    initialized_pid = getpid();
    int code = begin(__func__, -1);
    if (code) initialized_pid = 0;
    return code;
}
int nvmlShutdown(void) { BEGIN(-1); initialized_pid = 0; return OK; }
const char *nvmlErrorString(int code) { (void)code; return "made up"; }
int nvmlSystemGetDriverVersion(char *out, unsigned n) { BEGIN(-1); snprintf(out, n, "600.1"); return OK; }
int nvmlSystemGetCudaDriverVersion(int *out) { BEGIN(-1); *out = 13010; return OK; }

int nvmlDeviceGetCount_v2(unsigned *out) { BEGIN(-1); *out = count_of("gpus", -1); return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device **out) {
    BEGIN((int)index);
    devices[index][0] = (device){index, 0};
    *out = &devices[index][0];
    return OK;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, device **out) {
    int index = atoi(uuid + strlen("GPU-"));
    BEGIN(index);
    if (index >= count_of("gpus", -1)) return NOT_FOUND;
    *out = &devices[index][0];
    return OK;
}

/* Who a GPU is */

int nvmlDeviceGetName(device *d, char *out, unsigned n) { BEGIN(d->gpu); snprintf(out, n, "Fake GPU %c", count_of("model", d->gpu) + 'A'); return OK; }
int nvmlDeviceGetUUID(device *d, char *out, unsigned n) {
    BEGIN(d->gpu);
    if (d->instance) snprintf(out, n, "MIG-%d-%d-0000", d->gpu, d->instance - 1);
    else snprintf(out, n, "GPU-%d-0000", d->gpu);
    return OK;
}
int nvmlDeviceGetPciInfo_v3(device *d, pci *out) { WHOLE(d); snprintf(out->bus_id, sizeof out->bus_id, "00000000:%02X:00.0", 0x10 + d->gpu); return OK; }
int nvmlDeviceGetCudaComputeCapability(device *d, int *major, int *minor) { BEGIN(d->gpu); *major = 9; *minor = 0; return OK; }
int nvmlDeviceGetNumGpuCores(device *d, unsigned *out) { BEGIN(d->gpu); *out = 16896; return OK; }
int nvmlDeviceGetVirtualizationMode(device *d, unsigned *out) { WHOLE(d); *out = 0; return OK; }
int nvmlDeviceGetMigMode(device *d, unsigned *now, unsigned *pending) { WHOLE(d); *now = *pending = count_of("mig", d->gpu) > 0; return OK; }
int nvmlDeviceGetMaxMigDeviceCount(device *d, unsigned *out) { WHOLE(d); *out = MOST_INSTANCES - 1; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(device *d, unsigned index, device **out) {
    WHOLE(d);
    if ((int)index >= count_of("mig", d->gpu)) return NOT_FOUND;
    devices[d->gpu][index + 1] = (device){d->gpu, index + 1};
    *out = &devices[d->gpu][index + 1];
    return OK;
}
int nvmlDeviceGetGpuInstanceId(device *d, unsigned *out) { BEGIN(d->gpu); *out = 6 + d->instance; return OK; }
int nvmlDeviceGetComputeInstanceId(device *d, unsigned *out) { BEGIN(d->gpu); *out = 0; return OK; }
int nvmlDeviceGetAttributes_v2(device *d, attributes *out) { BEGIN(d->gpu); out->processors = 16; return OK; }

/* Readings that fill a structure */

int nvmlDeviceGetUtilizationRates(device *d, utilization *out) {
    WHOLE(d);
    NUMBER("utilization", d->gpu, out->gpu);
    NUMBER("memory_utilization", d->gpu, out->memory);
    return OK;
}
static int memory_of(device *d, const char *name, unsigned long long *out) {
    char part[64];
    snprintf(part, sizeof part, d->instance ? "instance_%s" : "%s", name);
    NUMBER(part, d->gpu, *out);
    return OK;
}
int nvmlDeviceGetMemoryInfo(device *d, memory_v1 *out) {
    unsigned long long reserved;
    BEGIN(d->gpu);
    if (memory_of(d, "total", &out->total) || memory_of(d, "used", &out->used) || memory_of(d, "reserved", &reserved)) return NOT_SUPPORTED;
    out->used += reserved;
    out->free = out->total - out->used;
    return OK;
}
int nvmlDeviceGetMemoryInfo_v2(device *d, memory_v2 *out) {
    BEGIN(d->gpu);
    if (out->version != (sizeof *out | 2u << 24)) return 25;
    if (memory_of(d, "total", &out->total) || memory_of(d, "used", &out->used) || memory_of(d, "reserved", &out->reserved)) return NOT_SUPPORTED;
    out->free = out->total - out->used - out->reserved;
    return OK;
}
int nvmlDeviceGetTemperatureV(device *d, temperature *out) {
    WHOLE(d);
    if (out->version != (sizeof *out | 1u << 24)) return 25;
    NUMBER("temperature", d->gpu, out->celsius);
    return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(device *d, unsigned *count, process *out) {
    WHOLE(d);
    unsigned room = *count;
    *count = process_count;
    if ((int)room < process_count) return INSUFFICIENT_SIZE;
    memcpy(out, processes, sizeof *out * process_count);
    return OK;
}
int nvmlDeviceGetFieldValues(device *d, int count, field *values) {
    WHOLE(d);
    for (int i = 0; i < count; i++)
        if (values[i].id == (unsigned)count_of("unknown_field", d->gpu)) return INVALID_ARGUMENT;
    for (field *f = values; f < values + count; f++) {
        if (f->id >= MOST_FIELDS || !fields[d->gpu][f->id].is_set) { f->code = NOT_SUPPORTED; continue; }
        if ((f->code = fields[d->gpu][f->id].code)) continue;
        double found = next(&fields[d->gpu][f->id].script);
        memset(&f->value, 0xAB, sizeof f->value); /* a driver promises nothing of the bytes that a narrow type leaves over */
        f->latency_us = 7;
        switch (f->type = fields[d->gpu][f->id].type) {
            case 0: f->value.d = found; break;
            case 1: f->value.u = found; break;
            case 4: f->value.s = found; break;
            case 5: f->value.i = found; break;
            case 6: f->value.h = found; break;
            default: f->value.q = found;
        }
    }
    return OK;
}

/* Readings of one number: under the name of the function, and of its argument where it has one */

#define ONE(function, type) int function(device *d, type *out) { WHOLE(d); NUMBER(#function, d->gpu, *out); return OK; }
ONE(nvmlDeviceGetPowerUsage, unsigned)
ONE(nvmlDeviceGetEnforcedPowerLimit, unsigned)
ONE(nvmlDeviceGetTotalEnergyConsumption, unsigned long long)
ONE(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long)
ONE(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long)
ONE(nvmlDeviceGetPerformanceState, unsigned)
ONE(nvmlDeviceGetFanSpeed, unsigned)
ONE(nvmlDeviceGetCurrPcieLinkGeneration, unsigned)
ONE(nvmlDeviceGetCurrPcieLinkWidth, unsigned)
ONE(nvmlDeviceGetPcieReplayCounter, unsigned)

static int choice(device *d, const char *function, int argument, double *out) {
    char name[64];
    snprintf(name, sizeof name, "%s.%d", function, argument);
    return number(name, d->gpu, out);
}
#define CHOICE(argument) double found; int code = choice(d, __func__, argument, &found); if (code) return code; *out = found; return OK
int nvmlDeviceGetClockInfo(device *d, int kind, unsigned *out) { WHOLE(d); CHOICE(kind); }
int nvmlDeviceGetTemperature(device *d, int sensor, unsigned *out) { WHOLE(d); CHOICE(sensor); }
int nvmlDeviceGetTotalEccErrors(device *d, int kind, int since, unsigned long long *out) { WHOLE(d); CHOICE(2 * since + kind); }
int nvmlDeviceGetPcieThroughput(device *d, int direction, unsigned *out) { (void)direction; (void)out; WHOLE(d); usleep(20000); return OK; }

#define ENGINE(function) int function(device *d, unsigned *out, unsigned *period) { WHOLE(d); *period = 167000; NUMBER(#function, d->gpu, *out); return OK; }
ENGINE(nvmlDeviceGetEncoderUtilization)
ENGINE(nvmlDeviceGetDecoderUtilization)
ENGINE(nvmlDeviceGetJpgUtilization)
ENGINE(nvmlDeviceGetOfaUtilization)

/* The performance monitor: a metric is what its number counts while the number `gpm.clock` goes on by one */

int nvmlGpmQueryDeviceSupport(device *d, gpm_support *out) { BEGIN(d->gpu); out->is_supported = count_of("gpm", d->gpu); return OK; }
int nvmlGpmSampleAlloc(gpm_sample **out) { BEGIN(-1); *out = calloc(1, sizeof **out); return OK; }
int nvmlGpmSampleFree(gpm_sample *sample) { BEGIN(-1); free(sample); return OK; }
int nvmlGpmSampleGet(device *d, gpm_sample *out) { WHOLE(d); out->gpu = d->gpu; NUMBER("gpm.clock", d->gpu, out->clock); return OK; }
int nvmlGpmMigSampleGet(device *d, unsigned instance, gpm_sample *out) {
    BEGIN(d->gpu);
    out->gpu = d->gpu;
    out->instance = instance;
    NUMBER("gpm.clock", d->gpu, out->clock);
    return OK;
}
int nvmlGpmMetricsGet(gpm_request *request) {
    BEGIN(request->older->gpu);
    if (request->version != 1) return 25;
    if (request->older == request->newer || request->older->gpu != request->newer->gpu) return INVALID_ARGUMENT;
    for (gpm_metric *m = request->metrics; m < request->metrics + request->count; m++) {
        char name[32];
        double found;
        snprintf(name, sizeof name, "gpm.%u", m->id);
        m->code = number(name, request->older->gpu, &found);
        /* An instance counts its own number too, so that readings of different instances differ. */
        if (!m->code) m->value = found * (request->newer->clock - request->older->clock) + request->newer->instance;
    }
    return OK;
}
