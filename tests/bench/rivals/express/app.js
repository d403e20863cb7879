// A plain Express + twilio + pg + ioredis app that answers Twilio's first webhook as the service does: one process,
// one session in Redis, the same rows in PostgreSQL, committed before it answers.
'use strict';

const { createCipheriv, createDecipheriv, createHmac, randomBytes } = require('node:crypto');
const { readFileSync } = require('node:fs');
const express = require('express');
const Redis = require('ioredis');
const { parsePhoneNumberFromString } = require('libphonenumber-js');
const { Pool } = require('pg');
const { validateRequest, twiml } = require('twilio');

const env = process.env;
const TEXTS = JSON.parse(readFileSync(env.BENCH_TEXTS));
const KEYS = Buffer.from(env.BENCH_KEYS, 'base64');
const MASTER = KEYS.subarray(0, 32);
const INDEX = KEYS.subarray(32);
const KEEP_S = 6 * 3600;
const VOICE = { language: 'en-GB', voice: 'Polly.Amy-Neural' };

const redis = new Redis(env.BENCH_REDIS_URL);
const pool = new Pool({ connectionString: env.BENCH_DATABASE, max: 16 });

// ---------------------------------------------------------------- keys (AES-256-GCM: nonce, ciphertext, tag)

function seal(key, plain, about) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(about));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function open(key, sealed, about) {
  const cipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12));
  cipher.setAAD(Buffer.from(about));
  cipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([cipher.update(sealed.subarray(12, -16)), cipher.final()]);
}

function callOf(callSid) {
  return createHmac('sha256', INDEX).update(`twilio-call\0${callSid}`).digest('hex').slice(0, 32);
}

// ---------------------------------------------------------------- session in Redis: the wrapped key, then the sealed JSON

const WRAPPED = 12 + 32 + 16;

async function stored(callRef, token) {
  const found = await redis.getBuffer(`session:${callRef}`);
  if (found === null) return null;
  const key = open(MASTER, found.subarray(0, WRAPPED), 'data-key');
  return JSON.parse(open(key, found.subarray(WRAPPED), `session:${callRef}`)).replies[token];
}

async function keep(call, token, document) {
  const session = {
    context: call.context, number: call.number, dialled: call.dialled, offered_at: call.at, flow: 'london-111',
    node: 'main_menu', wait: '1.1', facts: {}, replies: { [token]: document },
  };
  const sealed = seal(call.key, JSON.stringify(session), `session:${call.ref}`);
  await redis.set(`session:${call.ref}`, Buffer.concat([call.wrapped, sealed]), 'EX', KEEP_S, 'NX');
}

// ---------------------------------------------------------------- rows in PostgreSQL

function newCall(ref, dialled, presented) {
  const parsed = parsePhoneNumberFromString(presented, 'GB');
  const number = parsed && parsed.isPossible() ? parsed.number : null;
  const key = randomBytes(32);
  const call = {
    ref, dialled, number, key, wrapped: seal(MASTER, key, 'data-key'), context: randomBytes(16).toString('hex'),
    at: new Date().toISOString(), rows: [],
  };
  add(call, 'offered', {
    network: 'twilio', dialled, cli_class: number ? 'present' : 'unreadable', flow: 'london-111', flow_version: '1',
    context: call.context,
  }, { number });
  for (const node of ['emergency_words', 'recording_notice', 'main_menu']) add(call, 'node_entered', { node });
  for (const prompt of ['emergency_999', 'recording_notice', 'main_menu']) {
    add(call, 'prompts_played', { prompts: [prompt], wait_id: '1.1' });
  }
  return call;
}

function add(call, kind, facts, personal) {
  const seq = call.rows.length + 1;
  const sealed = personal ? seal(call.key, JSON.stringify(personal), `journal:${call.ref}:${seq}`) : null;
  call.rows.push([call.ref, seq, new Date().toISOString(), kind, JSON.stringify(facts), sealed]);
}

function places(rows, columns) {
  const row = (n) => `(${Array.from({ length: columns }, (_, c) => `$${n * columns + c + 1}`).join(',')})`;
  return Array.from({ length: rows }, (_, n) => row(n)).join(',');
}

const INSERT_CALL = {
  name: 'call',
  text: `INSERT INTO calls (call_ref, context, offered_at, wrapped_key) VALUES ${places(1, 4)} ON CONFLICT DO NOTHING`,
};
const INSERT_ROWS = {
  name: 'rows',
  text: `INSERT INTO journal (call_ref, seq, at, kind, facts, sealed) VALUES ${places(7, 6)} ON CONFLICT DO NOTHING`,
};

async function commit(call) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query({ ...INSERT_CALL, values: [call.ref, call.context, call.at, call.wrapped] });
    await client.query({ ...INSERT_ROWS, values: call.rows.flat() });
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

// ---------------------------------------------------------------- the answer

function menu(action) {
  const document = new twiml.VoiceResponse();
  document.say(VOICE, TEXTS.prompts.emergency_999);
  document.say(VOICE, TEXTS.prompts.recording_notice);
  const gather = document.gather({
    action, actionOnEmptyResult: true, finishOnKey: '', hints: TEXTS.hints, input: 'dtmf speech', language: 'en-GB',
    method: 'POST', numDigits: 1, profanityFilter: false, speechTimeout: 'auto', timeout: 4,
  });
  gather.say(VOICE, TEXTS.prompts.main_menu);
  document.redirect({ method: 'POST' }, action);
  return document.toString();
}

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use(express.urlencoded({ extended: false }));

app.post('/twilio/voice', async (request, response) => {
  const form = request.body;
  const signature = request.get('X-Twilio-Signature') ?? '';
  if (!validateRequest(env.BENCH_TOKEN, signature, `${env.BENCH_PUBLIC_URL}${request.originalUrl}`, form)) {
    response.sendStatus(403);
    return;
  }
  const ref = callOf(form.CallSid);
  const token = request.get('I-Twilio-Idempotency-Token') ?? form.CallSid;
  let document = await stored(ref, token);
  if (document === null) {
    const call = newCall(ref, form.To, form.From);
    document = menu(`${env.BENCH_PUBLIC_URL}/twilio/voice/${ref}/1.1/gather#ct=1000&rt=2500&rc=2&rp=all`);
    await Promise.all([commit(call), keep(call, token, document)]);
  }
  response.type('text/xml').send(document);
});

app.listen(Number(env.BENCH_PORT), '127.0.0.1');
