// SPDX-License-Identifier: MIT
// ioredis with auto-pipelining, and mysql2 with prepared statements.
//
//   clients.mjs redis_get|redis_set|mysql_select TASKS COUNT URL|SOCKET|PORT
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.PEER_MODULES + '/');
const [row, tasks, count, where] = [process.argv[2], +process.argv[3], +process.argv[4], process.argv[5]];
const each = Math.floor(count / tasks);
const KEY = 'key:__rand_int__', VALUE = 'sixteen bytes...';

async function measured(one) {
    const begun = process.hrtime.bigint(), used = process.cpuUsage();
    await Promise.all(Array.from({ length: tasks }, (_, i) => one(i)));
    const wall = Number(process.hrtime.bigint() - begun) / 1e9, cpu = process.cpuUsage(used);
    const n = each * tasks;
    console.log(JSON.stringify({
        row, n, ns: wall * 1e9 / n, cpu_s: (cpu.user + cpu.system) / 1e6, wall_s: wall }));
}

async function redisRow() {
    const Redis = require('ioredis');
    const tls = where.startsWith('rediss:') ? { tls: { ca: readFileSync(process.env.PEER_CA) } } : {};
    const options = { enableAutoPipelining: true, ...tls };
    const client = where.startsWith('/') ? new Redis({ path: where, ...options }) : new Redis(where, options);
    await client.set(KEY, VALUE);
    await measured(async () => {
        for (let i = 0; i < each; i++) {
            if (row !== 'redis_get')
                await client.set(KEY, VALUE);
            else if (await client.get(KEY) !== VALUE)
                throw new Error('another value');
        }
    });
    client.disconnect();
}

async function mysqlRow() {
    const mysql = require('mysql2/promise');
    const at = where.startsWith('/') ? { socketPath: where } : { host: '127.0.0.1', port: +where, password: 'secret' };
    const conns = await Promise.all(Array.from({ length: tasks },
        () => mysql.createConnection({ user: 'app', database: 'shop', ...at })));
    for (const conn of conns)
        await conn.execute('SELECT v FROM kv WHERE k = ?', [1]);
    await measured(async (i) => {
        for (let n = 0; n < each; n++) {
            const [rows] = await conns[i].execute('SELECT v FROM kv WHERE k = ?', [1 + (n * 7919 + i) % 10000]);
            if (rows.length !== 1)
                throw new Error('a row is missing');
        }
    });
    await Promise.all(conns.map((conn) => conn.end()));
}

await (row.startsWith('redis') ? redisRow() : mysqlRow());
