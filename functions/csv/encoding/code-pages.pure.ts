/**
 * Characters at 0x80 to 0xff of the code pages in which Excel saves "CSV (MS-DOS)". The Encoding Standard
 * has neither: a file that may be in one is asked for, not read as another.
 */
export const codePages: Readonly<Record<string, string>> = {
  ibm850:
    'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0',
  ibm852:
    'ÇüéâäůćçłëŐőîŹÄĆÉĹĺôöĽľŚśÖÜŤťŁ×čáíóúĄąŽžĘę¬źČş«»░▒▓│┤ÁÂĚŞ╣║╗╝Żż┐└┴┬├─┼Ăă╚╔╩╦╠═╬¤đĐĎËďŇÍÎě┘┌█▄ŢŮ▀ÓßÔŃńňŠšŔÚŕŰýÝţ´\u00ad˝˛ˇ˘§÷¸°¨˙űŘř■\u00a0',
};

/** What bytes are in an encoding, by its WHATWG name or that of a code page; undefined if it does not allow them. */
export function textIn(label: string, bytes: Uint8Array): string | undefined {
  const page = codePages[label];
  if (page !== undefined)
    return Array.from(bytes, (byte) =>
      byte < 0x80 ? String.fromCharCode(byte) : page.charAt(byte - 0x80),
    ).join('');
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
