import { phrases, saysNothing, squeezed } from './blank-value.pure.ts';

/** What people write where they have no name to write, besides what says nothing anywhere. */
const blanks = phrases(
  `unknown company, unnamed, no name, no company, missing, blank, empty, todo, x, test test, test company, test user,
  test gmbh, test inc, testfirma, demo,
  company, company name, your company, my company, organization, account, deleted, do not use, ref, value, name, div 0,
  individual, private, private person, personal, other, various, confidential, stealth, stealth startup,
  stealth mode startup, self, self employed, selfemployed, freelance, freelancer, freelance consultant,
  independent consultant, retired, student, unemployed, linkedin member,
  privat, privatperson, privatkunde, sonstige, freiberufler, freiberuflich, freiberuflerin, selbständig, selbstständig,
  selbständige, firma, firmenname, unternehmen, entfällt,
  n.c., n.r., sans, s/o, sans objet, particulier, indépendant, indépendante, auto-entrepreneur, autoentrepreneur,
  entreprise, société, sin empresa, autónomo, autónoma, por cuenta propia, empresa,
  privato, libero professionista, azienda, sem empresa, autônomo, autônoma, profissional liberal, pessoa física,
  zzp, zzp'er, zelfstandig, zelfstandige, bedrijf,
  個人, フリーランス, 自営業, 個人事業主, 会社名, 会社, 个人, 公司, 개인, 프리랜서`,
);

/** Whether a cell names nothing: it says nothing, or `freelance`, or the number of a telephone. */
export function isBlankName(text: string): boolean {
  if (saysNothing(text)) return true;
  if (text.length > 60) return false;
  const plain = squeezed(text);
  return blanks.has(plain) || (!/\p{L}/u.test(plain) && plain.replaceAll(' ', '').length > 6);
}

const salutations = phrases(
  `mr, mrs, ms, miss, mx, sir, madam, mister, herr, herrn, frau, fräulein, hr, fr, divers, m, mme, mlle, monsieur,
  madame, mademoiselle, sr, sra, srta, señor, señora, doña, sig, sig.ra, sigra, signor, signora, signore, dott,
  senhor, senhora, dhr, mevr, mw, mevrouw, meneer, de heer, herr dr, frau dr, dr, prof, 様, さん, 先生, 女士, 님,
  male, female, männlich, weiblich, m f, w`,
);

/** Whether a cell is a salutation, a title or a gender and nothing else. */
export const isSalutation = (text: string): boolean =>
  text.length <= 20 && salutations.has(squeezed(text));

const before =
  /^(?:(?:mrs?|ms|miss|herrn?|frau|fam|familie|eheleute|m(?=\.)|mme|mlle|monsieur|madame|sra?|srta|señora?|sig\.ra|signora?|sig|dott|dhr|mevr|mevrouw|dr|prof)(?:\.\s*|\s+|\/)(?:(?:&|and|und|u\.|et|y|e)\s+)?)+(?=\p{L})/iu;
const behind =
  /(?<=\S)(?:\s*(?:様|さま|さん|殿|氏|先生|女士|小姐|님|씨)|,?\s+(?:dr|prof|ph\.?d|mba|esq)\.?)$/iu;

/** A person's name without salutation and titles: `Frau Dr. Jana Vogel`, `鈴木一郎様`. */
export const withoutSalutation = (name: string): string =>
  name.replace(before, '').replace(behind, '');
