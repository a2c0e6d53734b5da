import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { FORM, TOKEN_PATH } from './http.ts';

/** One open connection that posts bodies as raw bytes, one after the other, and times them. */
export interface KeepAlive {
  /** Microseconds from the first byte of the request to the last byte of the answer. */
  post(body: string): Promise<{ status: number; body: string; headers: string; micros: number }>;
  close(): void;
}

export interface PostedTo {
  path: string;
  contentType: string;
}

const TOKEN: PostedTo = { path: TOKEN_PATH, contentType: FORM };

export async function keepAlive(port: number, { path, contentType }: PostedTo = TOKEN): Promise<KeepAlive> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return {
    async post(posted) {
      const request =
        `POST ${path} HTTP/1.1\r\nHost: localhost\r\n` +
        `Content-Type: ${contentType}\r\nContent-Length: ${posted.length}\r\n\r\n${posted}`;
      const startedAt = process.hrtime.bigint();
      socket.write(request, 'latin1');
      const text = await answerOn(socket);
      const micros = Number(process.hrtime.bigint() - startedAt) / 1000;
      const end = text.indexOf('\r\n\r\n');
      const headers = text.slice(0, end);
      return { status: Number(text.slice(9, 12)), headers, body: text.slice(end + 4), micros };
    },
    close: () => socket.destroy(),
  };
}

function answerOn(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const take = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const length = /content-length: (\d+)/i.exec(text)?.[1];
      if (end < 0 || text.length < end + 4 + Number(length)) return;
      socket.off('data', take);
      socket.off('close', ended);
      resolve(text);
    };
    const ended = () => reject(new Error('the connection was closed'));
    socket.on('data', take);
    socket.once('close', ended);
  });
}
