import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressKind, type AddressKind } from '../../src/domain/special-address.ts';

const ADDRESSES: Record<AddressKind, string> = {
  public: '8.8.8.8 192.31.196.1 2606:4700::1 64:ff9b::8.8.8.8 64:ff9b::808:808',
  private: '10.1.2.3 172.31.0.1 192.168.1.1 127.0.0.1 100.64.1.1 198.18.0.1 ::1 fd12::1 64:ff9b::10.0.0.1',
  forbidden:
    '0.0.0.0 169.254.169.254 100.100.100.200 168.63.129.16 192.0.2.1 198.51.100.1 203.0.113.1 224.0.0.1 ' +
    '255.255.255.255 :: fe80::1 fe80::1%eth0 fd00:ec2::254 fd20:ce::254 ff02::1 2001:db8::1 2001:0:1::1 ' +
    '2002:7f00:1:: 64:ff9b:1::1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:808:808 ::127.0.0.1 ' +
    '64:ff9b::169.254.169.254 localhost 127.1',
};

test('each special-purpose address has its kind, in any spelling', () => {
  for (const [kind, addresses] of Object.entries(ADDRESSES)) {
    for (const address of addresses.split(' ')) assert.equal(addressKind(address), kind, address);
  }
});
