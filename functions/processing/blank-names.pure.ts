import { foldText } from './header-words.pure.ts';

const phrases = (list: string): Set<string> =>
  new Set(
    list
      .split(',')
      .map((phrase) => squeezed(phrase))
      .filter(Boolean),
  );

/** A text without letter case, accents and punctuation: `N/A` is `n a`. */
const squeezed = (text: string): string =>
  (foldText(text).match(/[\p{L}\p{N}]+/gu) ?? []).join(' ');

/** What people write where they have no name to write; in the languages that leads come in. */
const blanks = phrases(
  `n/a, na, n.a., not available, not applicable, not provided, no value, no data, not set, not specified, none, no, nil, null, nan,
  undefined, unknown, unknown company, unnamed, no name, no company, missing, blank, empty, tbd, tba, todo, x, xx, xxx,
  xxxx, test, test test, testing, test company, test user, test gmbh, test inc, testfirma, dummy, sample, demo, asdf,
  company, company name, your company, my company, organization, account, deleted, do not use, ref, value, name, div 0,
  individual, private, private person, personal, other, various, confidential, stealth, stealth startup,
  stealth mode startup, self, self employed, selfemployed, freelance, freelancer, freelance consultant,
  independent consultant, retired, student, unemployed, linkedin member,
  k.a., k.A, keine, keine angabe, keine angaben, kein, unbekannt, nicht bekannt, nicht angegeben, ohne, leer, privat,
  privatperson, privatkunde, sonstige, freiberufler, freiberuflich, freiberuflerin, selbständig, selbstständig,
  selbständige, firma, firmenname, unternehmen, entfällt,
  inconnu, inconnue, non renseigné, non renseignée, non communiqué, n.c., n.r., aucun, aucune, sans, s/o, sans objet,
  particulier, indépendant, indépendante, auto-entrepreneur, autoentrepreneur, entreprise, société,
  desconocido, desconocida, ninguno, ninguna, no aplica, no disponible, no consta, sin empresa, sin datos, s/d, s/n,
  autónomo, autónoma, por cuenta propia, empresa,
  sconosciuto, sconosciuta, nessuno, nessuna, non disponibile, non specificato, n.d., privato, libero professionista,
  azienda, desconhecido, desconhecida, nenhum, nenhuma, não informado, não informada, não se aplica, não disponível,
  sem empresa, autônomo, autônoma, profissional liberal, pessoa física,
  onbekend, geen, n.v.t., nvt, niet bekend, niet van toepassing, zzp, zzp'er, zelfstandig, zelfstandige, bedrijf,
  不明, なし, 無し, 無, 未定, 未設定, 未登録, 未入力, 該当なし, 個人, テスト, フリーランス, 自営業, 個人事業主, 会社名, 会社,
  未知, 无, 暂无, 个人, 测试, 公司, 알 수 없음, 없음, 미정, 개인, 해당 없음, 프리랜서, 테스트`,
);

/** Whether a cell names nothing: empty, punctuation, `N/A`, `unknown`, `freelance`, or a number of a telephone. */
export function isBlankName(text: string): boolean {
  if (text.length > 60) return !/[\p{L}\p{N}]/u.test(text);
  const plain = squeezed(text);
  return (
    plain === '' ||
    blanks.has(plain) ||
    /^0+$/.test(plain) ||
    (!/\p{L}/u.test(plain) && plain.replaceAll(' ', '').length > 6)
  );
}

const salutations = phrases(
  `mr, mrs, ms, miss, mx, sir, madam, mister, herr, herrn, frau, fräulein, hr, fr, divers, m, mme, mlle, monsieur,
  madame, mademoiselle, sr, sra, srta, señor, señora, don, doña, sig, sig.ra, sigra, signor, signora, signore, dott,
  senhor, senhora, dhr, mevr, mw, mevrouw, meneer, de heer, herr dr, frau dr, dr, prof, 様, さん, 先生, 女士, 님,
  male, female, männlich, weiblich, m f, w`,
);

/** Whether a cell is a salutation, a title or a gender and nothing else. */
export const isSalutation = (text: string): boolean =>
  text.length <= 20 && salutations.has(squeezed(text));

const before =
  /^(?:(?:mrs?|ms|miss|herrn?|frau|fam|familie|eheleute|m(?=\.)|mme|mlle|monsieur|madame|sra?|srta|señora?|sig\.ra|signora?|sig|dott|dhr|mevr|mevrouw|dr|prof)(?:\.\s*|\s+))+(?=\p{L})/iu;
const behind =
  /(?<=\S)(?:\s*(?:様|さま|さん|殿|氏|先生|女士|小姐|님|씨)|,?\s+(?:dr|prof|ph\.?d|mba|esq)\.?)$/iu;

/** A person's name without salutation and titles: `Frau Dr. Jana Vogel`, `鈴木一郎様`. */
export const withoutSalutation = (name: string): string =>
  name.replace(before, '').replace(behind, '');
