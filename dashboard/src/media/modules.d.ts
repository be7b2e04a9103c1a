declare module 'plotly.js-strict-dist-min' {
  const Plotly: {
    react(target: HTMLElement, data: unknown[], layout: object, config: object): Promise<void>;
    purge(target: HTMLElement): void;
  };
  export default Plotly;
}
