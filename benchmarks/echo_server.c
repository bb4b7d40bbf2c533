/* A WebSocket echo server on one core: epoll, no allocation after a connection is accepted.
 *
 * It is the target of `python -m benchmarks echo`, fast enough never to be what is measured.
 * It says its port, then for each byte of standard input how many messages it has sent back so far, and ends with that.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM 65536 /* a frame must fit */
#define EVENTS 256

static unsigned long echoes;

struct connection {
    int fd;
    int open; /* the handshake is done */
    size_t have;
    unsigned char *bytes;
};

static uint32_t rotate(uint32_t value, int by) { return value << by | value >> (32 - by); }

/* SHA-1 (FIPS 180-4) of a message shorter than 120 bytes, which is all a handshake needs. */
static void sha1(const unsigned char *message, size_t length, unsigned char digest[20]) {
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    unsigned char padded[128] = {0};
    size_t blocks = (length + 8) / 64 + 1;
    memcpy(padded, message, length);
    padded[length] = 0x80;
    for (int i = 0; i < 8; i++) padded[blocks * 64 - 1 - i] = (unsigned char)((uint64_t)length * 8 >> (8 * i));
    for (size_t block = 0; block < blocks; block++) {
        uint32_t w[80];
        for (int i = 0; i < 16; i++) {
            const unsigned char *at = padded + block * 64 + i * 4;
            w[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        }
        for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 80; i++) {
            uint32_t f, k;
            if (i < 20) f = (b & c) | (~b & d), k = 0x5A827999;
            else if (i < 40) f = b ^ c ^ d, k = 0x6ED9EBA1;
            else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
            else f = b ^ c ^ d, k = 0xCA62C1D6;
            uint32_t next = rotate(a, 5) + f + e + k + w[i];
            e = d, d = c, c = rotate(b, 30), b = a, a = next;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const unsigned char *bytes, size_t length, char *out) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16;
        if (i + 1 < length) three |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < length) three |= bytes[i + 2];
        *out++ = letters[three >> 18 & 63];
        *out++ = letters[three >> 12 & 63];
        *out++ = i + 1 < length ? letters[three >> 6 & 63] : '=';
        *out++ = i + 2 < length ? letters[three & 63] : '=';
    }
    *out = 0;
}

static int write_all(int fd, const unsigned char *bytes, size_t length) {
    while (length) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) continue; /* a client that waits for its echo always reads */
        if (sent <= 0) return -1;
        bytes += sent, length -= (size_t)sent;
    }
    return 0;
}

/* Answer a handshake that has come whole; return 1 then, 0 if more has to come, -1 if it is none. */
static int shake_hands(struct connection *c) {
    if (c->have >= ROOM) return -1;
    c->bytes[c->have] = 0;
    char *end = strstr((char *)c->bytes, "\r\n\r\n");
    if (!end) return 0;
    char *key = strcasestr((char *)c->bytes, "\r\nSec-WebSocket-Key:");
    if (!key) return -1;
    key += 20;
    while (*key == ' ') key++;
    size_t length = strcspn(key, "\r\n");
    if (length > 64) return -1;
    unsigned char message[128], digest[20];
    char accept[32], answer[256];
    memcpy(message, key, length);
    memcpy(message + length, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    sha1(message, length + 36, digest);
    base64(digest, 20, accept);
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    c->have = 0; /* a client speaks only when it has been answered */
    c->open = 1;
    return write_all(c->fd, (unsigned char *)answer, (size_t)size) < 0 ? -1 : 1;
}

/* Send back every whole frame, unmasked; return -1 where the connection is over. */
static int echo(struct connection *c) {
    size_t at = 0;
    while (c->have - at >= 6) {
        unsigned char *frame = c->bytes + at;
        size_t head = 2, size = frame[1] & 0x7F;
        if (size == 127) return -1;
        if (size == 126) {
            if (c->have - at < 8) break;
            size = (size_t)frame[2] << 8 | frame[3];
            head = 4;
        }
        if (head + 4 + size > ROOM) return -1;
        if (c->have - at < head + 4 + size) break;
        unsigned char mask[4], opcode = frame[0] & 0x0F;
        memcpy(mask, frame + head, 4);
        unsigned char *payload = frame + head + 4;
        for (size_t i = 0; i < size; i++) payload[i] ^= mask[i & 3];
        frame[1] &= 0x7F;
        if (opcode == 9) frame[0] = 0x8A;
        memmove(frame + 4, frame, head); /* the head goes where the mask was */
        if (opcode != 10 && write_all(c->fd, frame + 4, head + size) < 0) return -1;
        if (opcode == 8) return -1;
        echoes++;
        at += head + 4 + size;
    }
    memmove(c->bytes, c->bytes + at, c->have - at);
    c->have -= at;
    return 0;
}

static int readable(struct connection *c) {
    ssize_t got = recv(c->fd, c->bytes + c->have, ROOM - c->have, 0);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) return -1;
    c->have += (size_t)got;
    return c->open ? echo(c) : (shake_hands(c) < 0 ? -1 : 0);
}

int main(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof place;
    if (bind(listener, (struct sockaddr *)&place, sizeof place) || listen(listener, 4096)) return perror("listen"), 1;
    getsockname(listener, (struct sockaddr *)&place, &length);
    struct connection door = {.fd = listener}, parent = {.fd = 0};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &door});
    epoll_ctl(poll, EPOLL_CTL_ADD, 0, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &parent});
    printf("%d\n", ntohs(place.sin_port));
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (c == &parent) {
                char byte;
                if (read(0, &byte, 1) < 1) return 0;
                printf("%lu\n", echoes);
                fflush(stdout);
                continue;
            }
            if (c == &door) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                c = calloc(1, sizeof *c);
                c->fd = fd;
                c->bytes = malloc(ROOM + 1);
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
            } else if (readable(c) < 0) {
                close(c->fd);
                free(c->bytes);
                free(c);
            }
        }
    }
}
