/*
 * A stand-in for NVIDIA's libnvidia-ml.so.1, for tests: the functions that the meter calls, answering from a script.
 *
 * The script is the file beside the library, with ".script" added to its name, read again at each call:
 *
 *   init code=0
 *   gpu uuid=GPU-a name=H200 bus=0x41 energy=1000 power=300000 limit=700000 util=90 mig=0
 *   instance gpu=0 place=0 id=1 uuid=MIG-a slices=3 profile=3g.20gb start=4 profile_id=9
 *   process gpu=0 pid=42 sm=60 enc=0 kind=c instance=1
 *
 * The kind of a process is c (compute), g (graphics) or m (a client of a multi-process server, MPS).
 * Of each device, energy is in mJ and power in mW; "energy=no" is a device without a counter. "lost=15" has every call on
 * the device return that code, "hang=1" has reading its energy not return until the script says otherwise, "samples=no" has it
 * say nothing of use. With "mig=1" it is divided into its instances, whose processes it shows by their own handles alone; without
 * "start" it does not say where an instance lies, as to those who are not root. Samples are as of now, one a process, and none where sm is missing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef unsigned int Code;
typedef struct { unsigned pid; unsigned long long time_stamp; unsigned sm, mem, enc, dec; } Sample;
typedef struct { unsigned pid; unsigned long long memory; unsigned gpu_instance, compute_instance; } Process;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } Pci;
typedef struct { unsigned gpu, memory; } Rates;
typedef struct { unsigned field, scope; long long time_stamp, latency; unsigned type; Code code; uint64_t value; } Field;

typedef struct { void *device; unsigned id, profile, start, size; } InstanceInfo;
typedef struct { unsigned engines[6], slices, compute_slices; unsigned long long memory; } Attributes;

enum { INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, NO_DEVICE = 28 };

static __thread char text[65536];
static __thread char line[1024];

static const char *script(void) {
    Dl_info info;
    char path[4096];
    text[0] = 0;
    if (!dladdr((void *)script, &info)) return text;
    snprintf(path, sizeof path, "%s.script", info.dli_fname);
    FILE *file = fopen(path, "r");
    if (!file) return text;
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = 0;
    fclose(file);
    return text;
}

/* The nth line that begins with a word, or NULL. */
static const char *find(const char *word, int nth) {
    for (const char *at = script(); *at;) {
        const char *end = strchr(at, '\n');
        size_t length = end ? (size_t)(end - at) : strlen(at);
        if (!strncmp(at, word, strlen(word)) && nth-- == 0) {
            if (length >= sizeof line) length = sizeof line - 1;
            memcpy(line, at, length);
            line[length] = 0;
            return line;
        }
        at += length + (end ? 1 : 0);
    }
    return NULL;
}

/* The value of a key of a line, or NULL. */
static const char *value(const char *of, const char *key) {
    char pattern[64];
    snprintf(pattern, sizeof pattern, " %s=", key);
    const char *at = of ? strstr(of, pattern) : NULL;
    return at ? at + strlen(pattern) : NULL;
}

static unsigned long long number(const char *of, const char *key) {
    const char *at = value(of, key);
    return at ? strtoull(at, NULL, 0) : 0;
}

static void words(const char *of, const char *key, char *into, unsigned size) {
    const char *at = value(of, key);
    unsigned length = 0;
    for (; at && at[length] && at[length] != ' ' && length + 1 < size; length++) into[length] = at[length];
    into[length] = 0;
}

/* Handles are the device's number and one. */
static const char *device(void *handle, Code *code) {
    const char *found = find("gpu", (int)(intptr_t)handle - 1);
    *code = found ? (Code)number(found, "lost") : NO_DEVICE;
    return found;
}

/* Handles of instances are their line and this. */
enum { INSTANCES = 1000, MOST_INSTANCES = 7 };

static int is_instance(void *handle) { return (intptr_t)handle >= INSTANCES; }

static const char *instance(void *handle, Code *code) {
    const char *found = find("instance", (int)((intptr_t)handle - INSTANCES));
    *code = found ? 0 : INVALID_ARGUMENT;
    return found;
}

static const char *either(void *handle, Code *code) {
    return is_instance(handle) ? instance(handle, code) : device(handle, code);
}

Code nvmlInit_v2(void) { return (Code)number(find("init", 0), "code"); }
Code nvmlShutdown(void) { return 0; }

Code nvmlDeviceGetCount_v2(unsigned *count) {
    for (*count = 0; find("gpu", (int)*count); (*count)++) {}
    return 0;
}

Code nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    Code code;
    *handle = (void *)(intptr_t)(index + 1);
    device(*handle, &code);
    return code;
}

Code nvmlDeviceGetUUID(void *handle, char *into, unsigned size) {
    Code code;
    words(either(handle, &code), "uuid", into, size);
    return code;
}

Code nvmlDeviceGetName(void *handle, char *into, unsigned size) {
    Code code;
    if (is_instance(handle)) {
        char profile[64];
        words(instance(handle, &code), "profile", profile, sizeof profile);
        snprintf(into, size, "NVIDIA A100 80GB PCIe MIG %s", profile);
        return code;
    }
    words(device(handle, &code), "name", into, size);
    return code;
}

Code nvmlDeviceGetPciInfo_v3(void *handle, Pci *pci) {
    Code code;
    memset(pci, 0, sizeof *pci);
    pci->bus = (unsigned)number(device(handle, &code), "bus");
    snprintf(pci->bus_id, sizeof pci->bus_id, "%08x:%02x:00.0", 0, pci->bus);
    return code;
}

Code nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *energy) {
    Code code;
    const char *found = device(handle, &code);
    while (!code && number(found, "hang")) {
        usleep(2000);
        found = device(handle, &code);
    }
    if (code) return code;
    const char *text = value(found, "energy");
    if (!text || text[0] == 'n') return NOT_SUPPORTED;
    *energy = number(found, "energy");
    return 0;
}

Code nvmlDeviceGetPowerUsage(void *handle, unsigned *power) {
    Code code;
    *power = (unsigned)number(device(handle, &code), "power");
    return code;
}

Code nvmlDeviceGetFieldValues(void *handle, int count, Field *fields) {
    Code code;
    const char *found = device(handle, &code);
    for (int at = 0; at < count; at++) {
        unsigned average = (unsigned)number(found, "average");
        fields[at].code = average ? 0 : NOT_SUPPORTED;
        fields[at].type = 1;
        memcpy(&fields[at].value, &average, sizeof average);
    }
    return code;
}

Code nvmlDeviceGetPowerManagementLimitConstraints(void *handle, unsigned *least, unsigned *most) {
    Code code;
    *least = 0;
    *most = (unsigned)number(device(handle, &code), "limit");
    return code;
}

Code nvmlDeviceGetUtilizationRates(void *handle, Rates *rates) {
    Code code;
    rates->gpu = (unsigned)number(device(handle, &code), "util");
    rates->memory = 0;
    return code;
}

Code nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) {
    Code code;
    *current = *pending = (unsigned)number(device(handle, &code), "mig");
    return code;
}

Code nvmlDeviceGetMinorNumber(void *handle, unsigned *minor) {
    Code code;
    const char *found = device(handle, &code);
    *minor = value(found, "minor") ? (unsigned)number(found, "minor") : (unsigned)((intptr_t)handle - 1);
    return code;
}

Code nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count) {
    Code code;
    const char *found = device(handle, &code);
    *count = MOST_INSTANCES;
    return code ? code : value(found, "mig") ? 0 : NOT_SUPPORTED;
}

Code nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **into) {
    for (int at = 0;; at++) {
        const char *found = find("instance", at);
        if (!found) return NOT_FOUND;
        if ((void *)(intptr_t)(number(found, "gpu") + 1) == handle && number(found, "place") == index) {
            *into = (void *)(intptr_t)(INSTANCES + at);
            return 0;
        }
    }
}

Code nvmlDeviceGetGpuInstanceId(void *handle, unsigned *id) {
    Code code;
    *id = (unsigned)number(instance(handle, &code), "id");
    return code;
}

Code nvmlDeviceGetGpuInstanceById(void *handle, unsigned id, void **into) {
    for (int at = 0;; at++) {
        const char *found = find("instance", at);
        if (!found) return NOT_FOUND;
        if ((void *)(intptr_t)(number(found, "gpu") + 1) != handle || number(found, "id") != id) continue;
        *into = (void *)(intptr_t)(INSTANCES + at);
        return value(found, "start") ? 0 : NO_PERMISSION;
    }
}

Code nvmlGpuInstanceGetInfo(void *handle, InstanceInfo *info) {
    Code code;
    const char *found = instance(handle, &code);
    if (code) return code;
    info->id = (unsigned)number(found, "id");
    info->profile = (unsigned)number(found, "profile_id");
    info->start = (unsigned)number(found, "start");
    info->size = (unsigned)number(found, "slices");
    return 0;
}

Code nvmlDeviceGetAttributes_v2(void *handle, Attributes *attributes) {
    Code code;
    memset(attributes, 0, sizeof *attributes);
    attributes->slices = (unsigned)number(instance(handle, &code), "slices");
    return code;
}

Code nvmlDeviceGetProcessUtilization(void *handle, Sample *samples, unsigned *count, unsigned long long since) {
    Code code;
    const char *found = device(handle, &code);
    if (code) return code;
    /* As the driver does: it does not say so of instances. */
    if (number(found, "mig") || value(found, "samples")) return NOT_SUPPORTED;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    unsigned long long time_stamp = (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000;
    if (!samples) {
        /* The room that the driver has, whatever is in it. */
        *count = 100;
        return INSUFFICIENT_SIZE;
    }
    unsigned written = 0;
    for (int at = 0; written < *count; at++) {
        const char *process = find("process", at);
        if (!process) break;
        if ((void *)(intptr_t)(number(process, "gpu") + 1) != handle || !value(process, "sm")) continue;
        memset(&samples[written], 0, sizeof *samples);
        samples[written].pid = (unsigned)number(process, "pid");
        samples[written].sm = (unsigned)number(process, "sm");
        samples[written].enc = (unsigned)number(process, "enc");
        samples[written].time_stamp = time_stamp;
        written++;
    }
    *count = written;
    return written && time_stamp > since ? 0 : NOT_FOUND;
}

static Code processes(void *handle, char kind, unsigned *count, Process *into) {
    Code code;
    unsigned written = 0, of_gpu, of_instance = 0;
    const char *found = either(handle, &code);
    if (code) return code;
    of_gpu = is_instance(handle) ? (unsigned)number(found, "gpu") : (unsigned)((intptr_t)handle - 1);
    if (is_instance(handle)) of_instance = (unsigned)number(found, "id");
    for (int at = 0; written < *count; at++) {
        const char *process = find("process", at);
        if (!process) break;
        const char *of = value(process, "kind");
        if (number(process, "gpu") != of_gpu || (of ? of[0] : 'c') != kind) continue;
        if (is_instance(handle) && number(process, "instance") != of_instance) continue;
        memset(&into[written], 0, sizeof *into);
        into[written++].pid = (unsigned)number(process, "pid");
    }
    *count = written;
    return 0;
}

Code nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, Process *into) {
    return processes(handle, 'c', count, into);
}

Code nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned *count, Process *into) {
    return processes(handle, 'g', count, into);
}

Code nvmlDeviceGetMPSComputeRunningProcesses_v3(void *handle, unsigned *count, Process *into) {
    return processes(handle, 'm', count, into);
}
