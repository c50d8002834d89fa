/** A name of a column as words: no letter case, accents, or camelCase, and numbers apart; at most 200 characters of it. */
export function headerWords(name: string): string[] {
  const split = name.slice(0, 200).replaceAll(/(\p{Ll})(?=\p{Lu})|(\p{L})(?=\d)/gu, '$& ');
  return foldText(split).match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Text without letter case, widths and Latin accents. */
export const foldText = (text: string): string =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .normalize('NFD')
    .replaceAll(/[\u0300-\u036f]/g, '')
    .replaceAll('ß', 'ss')
    .normalize('NFC');

const words = (list: string): Set<string> => new Set(foldText(list).split(/\s+/));
const phrases = (list: string): Set<string> =>
  new Set(
    foldText(list)
      .split(',')
      .map((phrase) => phrase.trim().replaceAll(/\s+/g, ' ')),
  );

/** Under these nobody writes a person. */
export const companyWords = words(
  `company companies companyname organization organisation organizations organisations org orgname employer firm
  firma firmenname firmen firmenbezeichnung gesellschaft unternehmen unternehmensname betrieb arbeitgeber entreprise entreprises
  société employeur organisme raison empresa compañía companhia organización organização organizzazione razón razão
  ragione azienda ditta impresa società sociedad sociedade bedrijf bedrijfsnaam bedrijven onderneming organisatie
  organisatienaam werkgever handelsnaam virksomhed företag spółka společnost компания организация фирма`,
);
/** These name companies, and now and then a person. */
export const accountWords = words(
  `account accounts accountname business security issuer institution brand compte comptes cuenta conta relatie
  relatienaam startup`,
);
/** These name whoever buys or sells. */
export const customerWords = words(
  `customer customers client clients kunde kunden kundenname cliente clienti clientes klant klanten klantnaam vendor
  supplier lieferant fournisseur proveedor fornitore fornecedor leverancier merchant prospect prospects`,
);
/** Of a name that is shorter than the registered one, or made for letters. */
export const tradeWords = words('fantasia comercial commercial trade trading dba emails short');
/** What a company's name may be called by besides. */
export const companyQualifiers = words(
  `name names nom nombre nome naam bezeichnung denominación denominazione legal legale official officiel full complete
  current actual primary main associated associate related target work 1 of for the de du des d l del della dell do da
  la le el der die das van and und et y e sociale social person people lead leads contact contacts deal s
  required optional offiziell pflichtfeld`,
);

export const siteWords = words(
  `website websites web webseite webpage homepage domain domains domaine dominio domínio domein url site sitio sito
  internet internetseite internetadresse internetauftritt www page`,
);
export const emailWords = words(
  `email emails mail emailadresse mailadresse courriel messagerie électronique correo correio eletrónico elettronica epost mailadres emailadres emailaddress`,
);
export const cityWords = words(
  `city town ort stadt wohnort firmensitz ville commune ciudad población localidad localidade città comune cidade município plaats
  woonplaats vestigingsplaats stad location`,
);
export const countryWords = words('country land pays país paese nazione país');
/** Of columns that make a bare `name` that of a company. */
export const registerWords = words(
  `industry industries industrie branche sector secteur settore employees mitarbeiter effectif empleados dipendenti
  medewerkers revenue umsatz founded siret siren vat ustid cnpj cif piva kvk btw symbol ticker naics sic website
  webseite homepage`,
);

/** Of the people who own a list, and those around a contact: never whom a row is about. */
export const colleagueWords = words(
  `owner assigned assignee created modified updated rep salesperson seller manager assistant spouse supervisor
  referred referrer besitzer zuständig zugewiesener bearbeiter betreuer assistent verkäufer propriétaire assigné
  gestionnaire propietario asignado director proprietario assegnato assistente responsabile proprietário designado
  eigenaar toegewezen verantwoordelijke sender user benutzer usuario utilisateur`,
);
/** Of columns whose cells are never part of a name. */
export const otherWords = words(
  `id ids number no nr num fax street address zip code postal plz type typ
  status source stage score size count date time note notes notizen comment comments description beschreibung keywords
  tags label labels parent previous former past competitor logo image photo avatar picture tracking careers jobs blog
  profile record template subject body opt unsubscribed bounced confidence verified amount phonetic yomi kana
  department abteilung group groups source referrer`,
);
export const phoneWords = words(
  `phone phones tel telephone téléphone telefon telefonnummer telefonnr telefono teléfono telefone telefoon telefoonnummer
  mobile mobil mobilnummer mobiltelefon mobiel handy handynummer móvil celular cellulare portable cell gsm rufnummer`,
);
export const salutationWords = words(
  'salutation anrede prefix civilité saludo saluto saudação aanhef greeting tratamiento tratamento 敬称 稱謂',
);
/** Sites of others that have pages of companies and people. */
export const socialName =
  /facebook|instagram|twitter|youtube|tiktok|pinterest|crunchbase|skype|whatsapp|github|angellist/;

export const firstNames = phrases(
  `first name,firstname,first,given name,givenname,given,fname,forename,christian name,vorname,vornamen,rufname,prénom,
  prénoms,primer nombre,nombre de pila,primeiro nome,nome próprio,voornaam,voornamen,roepnaam,imię,jméno,fornavn,
  förnamn,имя,名,ファーストネーム,下の名前,名字`,
);
export const lastNames = phrases(
  `last name,lastname,last,surname,sur name,family name,familyname,family,lname,nachname,familienname,zuname,
  nom de famille,apellido,apellidos,primer apellido,cognome,sobrenome,último nome,apelido,achternaam,familienaam,
  nazwisko,příjmení,efternavn,efternamn,фамилия,姓,苗字,姓氏,ラストネーム`,
);
export const nameParticles = phrases('tussenvoegsel,tussenvoegsels,namensvorsatz');
export const plainNames = phrases(
  `name,names,full name,fullname,complete name,display name,nom,nom complet,nom et prénom,prénom et nom,nombre,
  nombre completo,nombre y apellidos,nome,nome completo,nome e cognome,naam,volledige naam,vor und nachname,
  vollständiger name,anzeigename,nom à afficher,nombre en pantalla,nome visualizzato,mostrar nome,nominativo,фио,
  名称,title name`,
);
export const contactNames = phrases(
  `contact,contact name,contact person,contact full name,lead,lead name,person,person name,ansprechpartner,
  ansprechpartnerin,ansprechperson,kontakt,kontaktname,kontaktperson,name ansprechpartner,name des ansprechpartners,
  interlocuteur,nom du contact,nom contact,contact principal,personne de contact,contacto,persona de contacto,
  nombre del contacto,nombre de contacto,nombre contacto,referente,contatto,persona di riferimento,contato,
  nome do contato,nome contato,pessoa de contato,contactpersoon,contactnaam,contactname,naam contactpersoon,decision maker`,
);
export const positions = phrases(
  `position,job title,jobtitle,title,role,job role,job position,job,function,funktion,occupation,profession,
  berufsbezeichnung,stellung,poste,fonction,intitulé du poste,cargo,puesto,puesto de trabajo,ruolo,qualifica,posizione,
  mansione,função,functie,functietitel,organization title,organization 1 title,company title,person title,役職,職位,
  职位,職稱,職種,titel,jobtitel,titre,título,titolo,タイトル,직책,직위,firmenfunktion`,
);

/** What some languages write without blanks. */
export const eastern = {
  company:
    /^(?:貴|御)?(?:会社|企業|法人|社|商号|団体|組織|勤務先|所属先?|店舗|事業者|屋号)(?:名称?)?(?:\((?:漢字|正式|日本語)\))?$|^(?:公司|企业|企業|单位|單位)(?:名称?|名稱|全称)?$|^(?:회사|기업|업체|상호|법인|기관|단체|소속)(?:명|이름)?$/u,
  account: /^(?:取引先|アカウント|得意先)(?:名|会社)?$/u,
  customer: /^(?:顧客|お客様|客户|客戶|고객)(?:会社)?(?:名称?|名稱|명)?$/u,
  first: /[([](?:名|めい)[)\]]$/u,
  last: /[([](?:姓|せい)[)\]]$/u,
  name: /^(?:お|ご)?(?:氏名|姓名|名前|宛名)$|^(?:ご?担当者|連絡先)(?:氏?名|様)?$|^(?:联系人|聯絡人)(?:姓名)?$|^(?:성명|이름|담당자)(?:명)?$/u,
  site: /url$|url\(|ホームページ|サイト|网站|網站|网址|官网|網頁|홈페이지|웹사이트|ドメイン|域名/u,
  email: /メール|邮箱|邮件|郵件|이메일|메일/u,
  city: /^(?:.*市区町村|都市|所在地|本社所在地|城市|도시|지역)$/u,
  country: /^(?:国|国名|国家|國家|국가)$/u,
  phone: /^(?!会社|企業|法人|公司|회사).*(?:電話|电话|携帯|手机|手機|전화|휴대폰|연락처)/u,
  other: /カナ|かな|フリガナ|ふりがな|よみ|読み|電話|住所|郵便|番号|コード|备注|地址|电话/u,
};
