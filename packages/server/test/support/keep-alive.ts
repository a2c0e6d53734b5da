import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** One connection that stays open, over which forms are posted one after the other as raw bytes and timed. */
export interface KeepAlive {
  /** Microseconds from the first byte of the request to the last byte of the answer. */
  post(form: string): Promise<{ status: number; body: string; headers: string; micros: number }>;
  close(): void;
}

export async function keepAlive(port: number): Promise<KeepAlive> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return {
    async post(form) {
      const request =
        'POST /marketing/oauth2/token HTTP/1.1\r\nHost: localhost\r\n' +
        `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n${form}`;
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
