/** JSON in ASCII, with all other characters as `\uXXXX`: so it has as many bytes as characters. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(NOT_ASCII, escaped);
}

const NOT_ASCII = /[^\0-\x7f]/g;

function escaped(character: string): string {
  return String.raw`\u` + character.charCodeAt(0).toString(16).padStart(4, '0');
}
